// SPDX-License-Identifier: MIT
// The module that a thread of an instance starts with when sandblock runs from its sources.

import { runInstanceThread } from "./thread.ts";

runInstanceThread();
