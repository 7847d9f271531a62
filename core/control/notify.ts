// SPDX-License-Identifier: MIT
// Tells the service manager what the server is doing, where it wants to know (sd_notify(3)).

/** Sends states such as `READY=1` to the service manager. */
export interface Notifier {
  send(...states: string[]): void;
}

const SILENT: Notifier = { send: () => {} };

/**
 * The notifier for the socket that NOTIFY_SOCKET names; a silent one where nobody wants to know.
 * The variable is removed, so that child processes do not speak for the server. `failed` is told
 * when a message could not be sent: no reason to stop serving.
 */
export async function takeNotifier(
  variables: { get(name: string): string | undefined; delete(name: string): void },
  failed: (text: string) => void,
): Promise<Notifier> {
  const path = variables.get("NOTIFY_SOCKET");
  if (!path) return SILENT;
  variables.delete("NOTIFY_SOCKET");
  const { closeDescriptor } = await import("../../native/descriptor.ts");
  const { connectDatagram, sendDatagram } = await import("../../native/datagram.ts");
  return {
    send: (...states) => {
      try {
        const fd = connectDatagram(path);
        sendDatagram(fd, new TextEncoder().encode(states.join("\n")));
        closeDescriptor(fd);
      } catch (error) {
        failed(`cannot tell the service manager ${states[0]}: ${(error as Error).message}`);
      }
    },
  };
}
