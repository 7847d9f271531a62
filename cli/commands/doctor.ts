// SPDX-License-Identifier: MIT
// `sandblock doctor`: what this kernel has for attaching devices.

import { command } from "../declare/declaration.ts";
import { helpOption, jsonOption } from "./shared_options.ts";

export const doctor = command({
  name: "doctor",
  summary: "say what this kernel offers for attaching devices",
  description: [
    "Looks at what attaching a device needs (rights, the drivers ublk, bdus and nbd, io_uring, device " +
    "nodes, the state directory, limits) and says what to do about each gap. No module is loaded. The " +
    "exit status is 0 when this user can attach devices and 2 otherwise.",
  ],
  options: { json: jsonOption, help: helpOption },
  async run({ json }) {
    const { runDoctor } = await import("../kernel/doctor.ts");
    return await runDoctor(json ?? false);
  },
});
