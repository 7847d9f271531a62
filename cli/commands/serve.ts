// SPDX-License-Identifier: MIT
// `sandblock serve`: serves a device until it is told to stop, or only looks at what it would serve.

import { command } from "../declare/declaration.ts";
import { descriptionJson, descriptionLines, pluginHelp } from "../describe.ts";
import { dumpConfig } from "../dump_config.ts";
import { UsageError } from "../errors.ts";
import { inspectPlugin } from "../inspect.ts";
import { print } from "../output.ts";
import { findPlugin } from "../plugins.ts";
import { serveOptions, type ServeValues } from "../serve/options.ts";
import { VERSION } from "../version.ts";

export const serve = command({
  name: "serve",
  summary: "serve a device to NBD clients",
  description: [
    "Serves the device that PLUGIN makes to NBD clients until it is told to stop. PLUGIN is the " +
    "name of a bundled plugin, or the path of a .wasm file, which has a / in it or ends in .wasm. " +
    'What follows are its parameters; "serve --help PLUGIN" explains them. Without an option that ' +
    "says where to listen, all addresses of the machine are listened on at TCP port 10809.",
    "What stands in brackets behind the name of a filter is below it, with parameters and brackets " +
    "of its own: mirror [ file a.img ] [ file b.img ].",
    "Options may stand before, between and after the arguments, and after -- nothing is an option.",
  ],
  arguments: [
    {
      name: "PLUGIN",
      help: 'What to serve; "sandblock plugin list" lists what comes with it',
      required: true,
      complete: "plugin",
    },
    {
      name: "KEY=VALUE",
      help: "Parameter of the plugin; most plugins have one whose KEY= may be left out",
      variadic: true,
      complete: "parameters",
    },
  ],
  options: serveOptions,
  lenient: true,
  ownPage: true,
  examples: [
    { command: "sandblock serve memory 1G", text: "Serve a disk in memory on port 10809:" },
    {
      command: "sandblock serve -U /run/disk.sock file disk.img",
      text: "Serve a disk image on a unix socket:",
    },
    {
      command: `sandblock serve pattern 1G --run 'nbdinfo "$uri"'`,
      text: "Serve a disk for as long as another command runs, and on no port:",
    },
    {
      command: "sandblock serve file dir=/images",
      text: "Serve every file of a directory under its own name:",
    },
    {
      command: "sandblock serve --filter cow --filter offset file disk.img offset=1M",
      text: "Serve what lies behind the first MiB of an image, and keep all changes in memory:",
    },
    {
      command: "sandblock serve mirror [ file a.img ] [ file b.img ]",
      text: "Keep two images the same:",
    },
    {
      command: "sandblock serve --config disks.yaml",
      text: "Serve several disks as a file says:",
    },
    {
      command: "nbdinfo [ sandblock serve memory 1M ]",
      text: "Let a client start its own server, with socket activation:",
    },
  ],
  sections: [
    {
      title: "Signals",
      paragraphs: [
        "SIGTERM, SIGINT and SIGQUIT stop the server in good order: requests under way are finished " +
        "or, after --drain-timeout, refused; socket files and the pidfile that it made are removed; " +
        "the exit status is 0. A second such signal stops it at once, with exit status 1.",
        "SIGHUP reads the file of --policy again, or the policies of --config. Clients stay connected, and what they ask for next is " +
        "decided by the new rules; a file with errors changes nothing but is told of in the log. " +
        "When standard input was a terminal that has gone, SIGHUP stops the server like SIGTERM, and so it " +
        "does on a terminal where there is nothing to read again.",
      ],
    },
    {
      title: "Environment",
      paragraphs: [
        "LISTEN_PID and LISTEN_FDS: sockets that a service manager has opened (socket activation) " +
        "are served in place of the default listener. Options that name another place to listen " +
        "are errors then, except --listen, which adds to them. A socket that is connected already " +
        "(Accept=yes) is served as by --single.",
        "NOTIFY_SOCKET: the service manager is told READY=1 when clients can connect and " +
        "STOPPING=1 when the server stops (Type=notify).",
        "JOURNAL_STREAM: where standard error is the journal, each line begins with its priority.",
        "TMPDIR: where -U - makes its directory.",
      ],
    },
    {
      title: "Files",
      paragraphs: [
        "A unix socket that nobody listens on, as a server leaves it that was killed, is replaced. " +
        "Where somebody listens, or the file is something else, the server does not start.",
      ],
    },
  ],
  helpOn: ([name]) => name === undefined ? null : pluginHelp(findPlugin(name).manifest, name),
  async run(values, operands) {
    const status = looking(values, operands);
    if (status !== null) return status;
    // Loads everything that talks to the system, which help has no use for.
    const { runServer } = await import("../serve/run.ts");
    return await runServer(values, operands);
  },
});

/** Exit status when an option asked to look instead of to serve. */
function looking(values: ServeValues, [name]: readonly string[]): number | null {
  const { dumpConfig: config, dumpPlugin, version, json } = values;
  if (config) {
    print(dumpConfig(json ?? false));
    return 0;
  }
  if (version && name === undefined) {
    print(`sandblock ${VERSION}\n`);
    return 0;
  }
  if (!dumpPlugin && !version) {
    if (!json) return null;
    throw new UsageError(
      "cannot use --json by itself: it belongs to --dump-plugin or --dump-config",
    );
  }
  if (name === undefined) throw new UsageError("cannot use --dump-plugin: no plugin is named");
  if (version) {
    const { manifest } = findPlugin(name);
    print(`${manifest.name} ${manifest.version}\n`);
    return 0;
  }
  const description = inspectPlugin(name);
  print(json ? descriptionJson(description) : descriptionLines(description));
  return 0;
}
