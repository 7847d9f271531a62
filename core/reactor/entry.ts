// SPDX-License-Identifier: MIT
// The module that a reactor thread starts with when sandblock runs from its sources.

import { runReactor } from "./worker.ts";

runReactor();
