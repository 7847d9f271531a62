// SPDX-License-Identifier: MIT
// What the file backend says about itself, in the form in which plugins do (docs/file.md).

import type { Manifest } from "../plugin/manifest.ts";

/** See the top of this file. */
export const FILE_MANIFEST: Manifest = {
  abi: "3.0",
  name: "file",
  version: "0.1.0",
  kind: "plugin",
  description: "A file, a block device, or every file in a directory",
  threads: "parallel",
  parameters: [
    {
      name: "file",
      type: "path",
      description: "The file or block device to serve",
      positional: true,
    },
    {
      name: "fd",
      type: "int",
      description: "Serve the file or block device that is open on this inherited descriptor",
      minimum: "0",
      maximum: "2147483647",
    },
    {
      name: "dir",
      type: "path",
      description: "Serve every regular file and block device in this directory by its name",
    },
    {
      name: "dirfd",
      type: "int",
      description: "Like dir, for a directory that is open on this inherited descriptor",
      minimum: "0",
      maximum: "2147483647",
    },
    {
      name: "direct",
      type: "bool",
      description: "Read and write past the page cache (O_DIRECT)",
      default: "false",
    },
    {
      name: "fadvise",
      type: "enum",
      values: ["normal", "random", "sequential"],
      description: "Tell the kernel how the files will be read",
      default: "normal",
    },
  ],
  limits: {},
};
