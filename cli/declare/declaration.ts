// SPDX-License-Identifier: MIT
// How a command is declared: its options, arguments and texts, as data. Parser, help, man page and
// completion are all made from this one description, so they cannot disagree.

/** What the shell may complete for a value. */
export type Completion = "file" | "directory" | "plugin" | "parameters" | readonly string[];

/** One option of a command. Its key in the command's table is the name that the code uses. */
export interface OptionDeclaration {
  /** Long name without dashes. */
  readonly long: string;
  /** One letter. */
  readonly short?: string;
  /** Other spellings, with their dashes: `-b`, `--bind`. */
  readonly aliases?: readonly string[];
  /** What the option's argument is called in texts; absent for an option that takes none. */
  readonly value?: string;
  /** The option may be given several times, each adding a value. Otherwise the last one wins. */
  readonly repeated?: true;
  /** Heading under which help and man page show it. */
  readonly group: string;
  /** One line for `--help`. */
  readonly help: string;
  /** Further sentences for the man page. */
  readonly details?: string;
  /** Text of the default value, where there is one. */
  readonly default?: string;
  readonly complete?: Completion;
  /** Accepted, but only shown in the man page. */
  readonly quiet?: true;
  /** Version of sandblock that had it first. */
  readonly since: string;
}

/** The options of a command by the names that the code uses. */
export type OptionTable = Readonly<Record<string, OptionDeclaration>>;

/** What the options of a table are after parsing: text, list of texts, or true. */
export type OptionValues<T extends OptionTable> = {
  [K in keyof T]?: T[K] extends { repeated: true } ? string[]
    : T[K] extends { value: string } ? string
    : boolean;
};

/** A positional argument. */
export interface ArgumentDeclaration {
  /** As shown: `PLUGIN`. */
  readonly name: string;
  readonly help: string;
  readonly required?: true;
  /** Takes all that remain; only the last argument may. */
  readonly variadic?: true;
  readonly complete?: Completion;
}

/** An example for the man page. */
export interface Example {
  readonly command: string;
  readonly text: string;
}

/** A command or a group of commands. */
export interface CommandDeclaration {
  readonly name: string;
  /** One line, no period. */
  readonly summary: string;
  /** Paragraphs for the man page; the first is also shown by `--help`. */
  readonly description: readonly string[];
  readonly arguments?: readonly ArgumentDeclaration[];
  readonly options: OptionTable;
  readonly examples?: readonly Example[];
  /** Sections of the man page beyond the usual ones. */
  readonly sections?: readonly { readonly title: string; readonly paragraphs: readonly string[] }[];
  readonly commands?: readonly Command[];
  /** Has a man page of its own; otherwise the page of its parent describes it. */
  readonly ownPage?: true;
}

/** What a command is run with. */
export interface Invocation {
  /** Values by the keys of the option table. */
  readonly values: Readonly<Record<string, string | string[] | boolean>>;
  readonly operands: readonly string[];
}

/** A declaration and what it does. */
export interface Command extends CommandDeclaration {
  /** Returns the exit status. `root` is the command that all commands are below of. */
  readonly run?: (invocation: Invocation, root: Command) => number | Promise<number>;
  /** What `--help` prints in place of the usual text; null for the usual one. */
  readonly helpOn?: (operands: readonly string[]) => string | null;
  /** `run` also accepts fewer operands than are required, depending on the options. */
  readonly lenient?: true;
}

/** Ties a typed option table to an action, so that the action sees its options by name and type. */
export function command<const T extends OptionTable>(
  declaration: Omit<Command, "options" | "run"> & {
    readonly options: T;
    readonly run?: (
      values: OptionValues<T>,
      operands: readonly string[],
      root: Command,
    ) => number | Promise<number>;
  },
): Command {
  const { run, ...rest } = declaration;
  if (!run) return rest;
  return {
    ...rest,
    run: ({ values, operands }, root) => run(values as OptionValues<T>, operands, root),
  };
}

/** The command that `names` lead to from `root`; null where there is none. */
export function findCommand(root: Command, names: readonly string[]): Command | null {
  let found: Command | undefined = root;
  for (const name of names) found = found?.commands?.find((child) => child.name === name);
  return found ?? null;
}

/** All spellings of an option: short, long, aliases. */
export function spellings(option: OptionDeclaration): string[] {
  const short = option.short ? [`-${option.short}`] : [];
  return [...short, `--${option.long}`, ...(option.aliases ?? [])];
}

/** `sandblock serve [OPTION...] PLUGIN [KEY=VALUE...]`. */
export function synopsis(path: string, declaration: CommandDeclaration): string {
  const words = [path];
  if (declaration.commands) words.push("COMMAND");
  if (Object.keys(declaration.options).length > 0) words.push("[OPTION...]");
  for (const { name, required, variadic } of declaration.arguments ?? []) {
    const shown = variadic ? `${name}...` : name;
    words.push(required ? shown : `[${shown}]`);
  }
  return words.join(" ");
}
