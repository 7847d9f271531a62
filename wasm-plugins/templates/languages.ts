// SPDX-License-Identifier: MIT
// The languages that `sandblock plugin new` knows. Each has a folder of its name beside this file:
// common/, plugin/ and filter/ go into the new directory (files.ts says how).

/** What there is a template for. */
export const KINDS = ["plugin", "filter"] as const;
export type Kind = typeof KINDS[number];

/** A language that plugins can be started in. */
export interface Language {
  /** As on the command line, and the name of its folder. */
  name: string;
  /** As people write it. */
  title: string;
  /** What `make` needs besides make itself, as the rest of a sentence: `clang and lld`. */
  needs: string;
  /** How to get that, as a command. */
  install: string;
  /** Where the code of a new plugin is, from its directory; @name@ is the plugin's name. */
  source: string;
  /**
   * The SDK: files and folders of wasm-plugins/ by their paths there, and where they go. Tests and
   * examples among them stay behind.
   */
  sdk: Readonly<Record<string, string>>;
}

/** See the top of this file. In alphabetical order. */
export const LANGUAGES: readonly Language[] = [
  {
    name: "assemblyscript",
    title: "AssemblyScript",
    needs: "Node.js and npm, with which it gets the compiler",
    install: "apt-get install make nodejs npm",
    source: "assembly/index.ts",
    sdk: { "sdk/assemblyscript/assembly": "assembly/sandblock" },
  },
  {
    name: "c",
    title: "C",
    needs: "clang and lld",
    install: "apt-get install make clang lld",
    source: "@name@.c",
    sdk: { "abi/sandblock.h": "sandblock.h", "sdk/c/sandblock_sdk.h": "sandblock_sdk.h" },
  },
  {
    name: "cpp",
    title: "C++",
    needs: "clang and lld",
    install: "apt-get install make clang lld",
    source: "@name@.cpp",
    sdk: {
      "abi/sandblock.h": "sandblock.h",
      "sdk/c/sandblock_sdk.h": "sandblock_sdk.h",
      "sdk/cpp/sandblock.hpp": "sandblock.hpp",
    },
  },
  {
    name: "go",
    title: "Go",
    needs: "Go 1.24 or newer",
    install: "apt-get install make golang-go    # Debian 13; or from https://go.dev/dl",
    source: "main.go",
    sdk: { "sdk/go/sandblock": "sandblock" },
  },
  {
    name: "javascript",
    title: "JavaScript",
    needs: "Node.js and npm, with which it gets componentize-js",
    install: "apt-get install make nodejs npm",
    source: "main.js",
    sdk: {
      "sdk/javascript/sandblock": "sandblock",
      "abi/wit/sandblock.wit": "sandblock/sandblock.wit",
    },
  },
  {
    name: "python",
    title: "Python",
    needs: "Python 3.9 or newer with venv and pip, with which it gets componentize-py",
    install: "apt-get install make python3-venv",
    source: "app.py",
    sdk: {
      "sdk/python/sandblock": "sandblock",
      "abi/wit/sandblock.wit": "sandblock/sandblock.wit",
    },
  },
  {
    name: "rust",
    title: "Rust",
    needs: "cargo, and Rust's library for wasm32-unknown-unknown",
    install: "apt-get install make cargo libstd-rust-dev-wasm32\n" +
      "# or, with rustup: rustup target add wasm32-unknown-unknown",
    source: "src/lib.rs",
    sdk: { "sdk/rust": "sandblock" },
  },
];
