// SPDX-License-Identifier: MIT
// The servers that are compared, and how each is told to serve a medium on a unix socket. All run
// with their defaults; what is set is said here, because otherwise the comparison would not be one.

import { MEDIA, type Medium } from "./rows.ts";

/** What a server is to serve, and where. */
export interface Place {
  medium: Medium;
  /** Bytes of the export. */
  size: number;
  /** Directory of its own: for the socket and other small files. */
  directory: string;
  /** A file of `size` bytes: on disk for the medium "file", in tmpfs for "memory". */
  file: string;
}

/** How to start a server. */
export interface Launch {
  command: string;
  args: string[];
  socket: string;
  exportName: string;
  /** Set for a server that puts itself into the background: the file it leaves its PID in. */
  pidFile?: string;
}

/** A server program. */
export interface Server {
  /** Unique: `nbdkit`, or `nbdkit-new` for the version of the newer Debian. */
  id: string;
  family: "sandblock" | "limit" | "nbdkit" | "qemu-nbd" | "nbd-server";
  /** As the program tells it. */
  version: string;
  media: readonly Medium[];
  launch(place: Place): Launch;
}

/** The peers (everything but sandblock itself and the limit). */
export function isPeer(server: Pick<Server, "family">): boolean {
  return server.family !== "sandblock" && server.family !== "limit";
}

const join = (place: Place, name: string) => `${place.directory}/${name}`;

/** sandblock at `executable`: the built program, or its main module run from source. */
export function sandblock(id: string, executable: string, version: string): Server {
  const [command, prefix] = executable.endsWith(".ts")
    ? [Deno.execPath(), ["run", "-A", executable]]
    : [executable, []];
  return {
    id,
    family: "sandblock",
    version,
    media: MEDIA,
    launch(place) {
      const socket = join(place, "socket");
      const what = place.medium === "memory" ? ["memory", `${place.size}`] : ["file", place.file];
      return {
        command,
        args: [...prefix, "serve", "--unix", socket, ...what],
        socket,
        exportName: "",
      };
    },
  };
}

/** The minimal C server (limit.c) at `executable`. */
export function limit(executable: string): Server {
  return {
    id: "limit",
    family: "limit",
    version: "C",
    media: MEDIA,
    launch(place) {
      const socket = join(place, "socket");
      const what = place.medium === "file" ? [`file=${place.file}`] : [];
      const args = [socket, `${place.size}`, ...what];
      return { command: executable, args, socket, exportName: "" };
    },
  };
}

/** nbdkit; `plugins` is the folder of its plugins where it would not find them itself. */
export function nbdkit(id: string, command: string, version: string, plugins?: string): Server {
  const plugin = (name: string) => plugins ? `${plugins}/nbdkit-${name}-plugin.so` : name;
  return {
    id,
    family: "nbdkit",
    version,
    media: MEDIA,
    launch(place) {
      const socket = join(place, "socket");
      const what = place.medium === "memory"
        ? [plugin("memory"), `${place.size}`]
        : [plugin("file"), place.file];
      return { command, args: ["-f", "-U", socket, ...what], socket, exportName: "" };
    },
  };
}

/** qemu-nbd. It has no memory disk that keeps what is written: there it serves a file in tmpfs. */
export function qemuNbd(id: string, command: string, version: string): Server {
  return {
    id,
    family: "qemu-nbd",
    version,
    media: MEDIA,
    launch(place) {
      const socket = join(place, "socket");
      // No image lock: other servers, not running at the same time, have the file open too.
      const name = place.file.replaceAll(",", ",,");
      const image = `driver=raw,file.driver=file,file.filename=${name},file.locking=off`;
      const args = ["-t", "-e", "0", "-k", socket, "--image-opts", image];
      return { command, args, socket, exportName: "" };
    },
  };
}

/** nbd-server, with a file in tmpfs for the medium "memory". It forks for each connection. */
export function nbdServer(id: string, command: string, version: string): Server {
  return {
    id,
    family: "nbd-server",
    version,
    media: MEDIA,
    launch(place) {
      const socket = join(place, "socket");
      const configuration = join(place, "nbd-server.conf");
      const pidFile = join(place, "nbd-server.pid");
      Deno.writeTextFileSync(
        configuration,
        `[generic]\nunixsock = ${socket}\n[disk]\nexportname = ${place.file}\nflush = true\n`,
      );
      const args = ["-C", configuration, "-p", pidFile];
      return { command, args, socket, exportName: "disk", pidFile };
    },
  };
}
