// SPDX-License-Identifier: MIT
// Functions of libc that are made callable when they are first called. Deno compiles a piece of machine
// code for each, which takes about as long as 10,000 calls, in each thread; most runs need few of them.

/** The functions of `definitions`, which a data path does not call: each call costs some more here. */
export function lateFunctions<const T extends Deno.ForeignLibraryInterface>(
  definitions: T,
): Deno.DynamicLibrary<T>["symbols"] {
  const symbols = {};
  for (const [name, definition] of Object.entries(definitions)) {
    Object.defineProperty(symbols, name, {
      configurable: true,
      enumerable: true,
      get() {
        const library = Deno.dlopen("libc.so.6", { [name]: definition });
        const value = (library.symbols as Record<string, unknown>)[name];
        Object.defineProperty(symbols, name, { value, enumerable: true });
        return value;
      },
    });
  }
  return symbols as Deno.DynamicLibrary<T>["symbols"];
}
