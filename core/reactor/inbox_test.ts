// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { closeDescriptor, createEvent, signalEvent } from "../../native/descriptor.ts";
import { Inbox } from "./inbox.ts";
import type { ReactorCommand } from "./messages.ts";

/** Runs `body` with an inbox of two ports. */
async function withInbox(
  obey: (command: ReactorCommand) => void,
  body: (inbox: Inbox, send: (port: number, name: string, announce?: boolean) => void) => unknown,
): Promise<void> {
  const channels = [new MessageChannel(), new MessageChannel()];
  const fd = createEvent();
  try {
    const inbox = new Inbox(channels.map(({ port2 }) => port2), fd, obey);
    await body(inbox, (port, name, announce = true) => {
      const question = { kind: "reopen", name } as const;
      channels[port]!.port1.postMessage({ kind: "ask", id: 0, question } satisfies ReactorCommand);
      if (announce) signalEvent(fd);
    });
  } finally {
    for (const { port1, port2 } of channels) for (const port of [port1, port2]) port.close();
    closeDescriptor(fd);
  }
}

const nameOf = (command: ReactorCommand) =>
  command.kind === "ask" && command.question.kind === "reopen" ? command.question.name : "";

Deno.test("all commands that were announced are carried out, in the order of their port", async () => {
  const obeyed: string[] = [];
  await withInbox((command) => obeyed.push(nameOf(command)), async (inbox, send) => {
    await inbox.take();
    assert.deepEqual(obeyed, []);
    for (const name of ["a", "b", "c"]) send(0, name);
    send(1, "z");
    await inbox.take();
    assert.deepEqual(obeyed.filter((name) => name !== "z"), ["a", "b", "c"]);
    assert.equal(obeyed.length, 4);
    // One that comes before it is announced is not waited for again.
    send(0, "d", false);
    send(0, "e");
    await inbox.take();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.deepEqual(obeyed.slice(4), ["d", "e"]);
  });
});

Deno.test("what goes wrong with a command is told", async () => {
  const obey = (command: ReactorCommand) => {
    throw new Error(`no ${nameOf(command)}`);
  };
  await withInbox(obey, async (inbox, send) => {
    send(0, "a");
    await assert.rejects(inbox.take(), /^Error: no a$/);
  });
});
