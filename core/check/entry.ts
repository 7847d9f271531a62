// SPDX-License-Identifier: MIT
// The module that the checking thread starts with when sandblock runs from its sources.

import { runCheckThread } from "./worker.ts";

runCheckThread();
