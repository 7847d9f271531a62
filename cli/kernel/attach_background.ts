// SPDX-License-Identifier: MIT
// How the stub of the self-running form tells that `attach` goes on in the background, before there is a
// program to understand the command line: so one is started, and not one to wait and one to work.

import type { BackgroundCommand } from "../../native/selfrun/pack.ts";
import { BACKGROUND_MARK } from "../serve/background.ts";
import { attachOptions } from "./attach_options.ts";

const { foreground, help, swap, writeback } = attachOptions;

/** Writing back and swapping have to be prepared before there are threads (cli/commands/attach.ts). */
export const ATTACH_IN_BACKGROUND: BackgroundCommand = {
  command: "attach",
  mark: `${BACKGROUND_MARK}=1`,
  letters: foreground.short + help.short,
  options: [foreground, help, swap, writeback].map(({ long }) => `--${long}`),
};
