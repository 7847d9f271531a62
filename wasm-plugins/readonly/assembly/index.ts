// SPDX-License-Identifier: MIT
// Lets nobody write (README.md beside this folder). All of it is in the manifest: what is below is opened
// read-only, and a filter can do what is below it.

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";
