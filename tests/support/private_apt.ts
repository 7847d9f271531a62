// SPDX-License-Identifier: MIT
// An apt of its own: packages of any Debian suite, downloaded and unpacked in a directory, with the
// installed system neither asked nor touched.

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const ARCHIVE_DEFAULT = "http://deb.debian.org/debian";

/** See the top of this file. */
export class PrivateApt {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Fetches the lists of `suite`; everything is kept below `root`. Throws Error. */
  static async open(root: string, suite: string): Promise<PrivateApt> {
    if (!exists(KEYRING)) throw new Error(`cannot check Debian packages: ${KEYRING} is missing`);
    for (const folder of ["lists/partial", "cache/archives/partial"]) {
      await Deno.mkdir(`${root}/${folder}`, { recursive: true });
    }
    await Deno.writeTextFile(`${root}/status`, "");
    const source = `deb [signed-by=${KEYRING}] ${archive()} ${suite} main\n`;
    await Deno.writeTextFile(`${root}/sources.list`, source);
    await Deno.writeTextFile(
      `${root}/apt.conf`,
      `Dir::Etc::sourcelist "${root}/sources.list";
       Dir::Etc::sourceparts "-";
       Dir::State::lists "${root}/lists";
       Dir::State::status "${root}/status";
       Dir::State::extended_states "${root}/extended_states";
       Dir::Cache "${root}/cache";
       Dir::Log "${root}";
       Acquire::Languages "none";
       Acquire::Retries "3";
       APT::Architecture "amd64";
       APT::Install-Recommends "false";
       APT::Sandbox::User "root";
       Debug::NoLocking "true";
      `,
    );
    const apt = new PrivateApt(root);
    await apt.#run(["apt-get", "-q", "update"]);
    return apt;
  }

  /** Names of packages that `name` depends on, and what they depend on in turn. */
  async dependencies(name: string): Promise<string[]> {
    const text = await this.#run(["apt-cache", "depends", "--recurse", name]);
    return text.split("\n").filter((line) => /^[a-z0-9]/.test(line));
  }

  /** Downloads `packages` and all that they need, and unpacks them in `target`. */
  async unpackWithDependencies(packages: readonly string[], target: string): Promise<void> {
    await this.#run(["apt-get", "-q", "-y", "--download-only", "install", ...packages]);
    await this.#unpack(`${this.#root}/cache/archives`, target);
  }

  /** Downloads `packages` without what they need, and unpacks them in `target`. */
  async unpack(packages: readonly string[], target: string): Promise<void> {
    const cwd = `${this.#root}/cache/archives`;
    await this.#run(["apt-get", "-q", "download", ...packages], cwd);
    await this.#unpack(cwd, target);
  }

  async #unpack(archives: string, target: string): Promise<void> {
    for (const { name } of Deno.readDirSync(archives)) {
      if (name.endsWith(".deb")) await this.#run(["dpkg-deb", "-x", `${archives}/${name}`, target]);
    }
  }

  #run(command: readonly string[], cwd?: string): Promise<string> {
    const env = { APT_CONFIG: `${this.#root}/apt.conf`, DEBIAN_FRONTEND: "noninteractive" };
    return runOrExplain(command, env, cwd);
  }
}

/** Runs a command; what it wrote on stdout. Throws Error with its last lines when it fails. */
export async function runOrExplain(
  [program, ...args]: readonly string[],
  env: Record<string, string> = {},
  cwd?: string,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program!, {
    args,
    env,
    ...cwd !== undefined && { cwd },
  }).output();
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  const last = (text.decode(stdout) + text.decode(stderr)).trim().split("\n").slice(-10);
  throw new Error(`cannot run ${program} ${args.join(" ")}:\n${last.join("\n")}`);
}

/** Whether there is a file or directory. */
export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

/** The Debian archive that this system uses, so that a mirror nearby is used here as well. */
function archive(): string {
  const files = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
  for (const file of files.filter(exists)) {
    const text = Deno.readTextFileSync(file);
    const found = text.match(/^(?:URIs:|deb(?:\s+\[.*?\])?)\s+(https?:\S+\/debian\/?)(?:\s|$)/m);
    if (found) return found[1]!;
  }
  return ARCHIVE_DEFAULT;
}
