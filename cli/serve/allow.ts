// SPDX-License-Identifier: MIT
// --allow: which node of a command line is granted what. `read=DIR` is for the plugin, `cow:write=DIR`
// for the node of that name, as it is written there or as its manifest has it.

import {
  bundledGrants,
  checkGrants,
  type Grants,
  isAsked,
  parseGrants,
} from "../../core/plugin/grants.ts";
import { CAPABILITIES, isCapability } from "../../core/plugin/capabilities.ts";
import { ParameterError } from "../../core/plugin/errors.ts";
import type { Manifest } from "../../core/plugin/manifest.ts";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { UsageError } from "../errors.ts";

/** A node by the name that is written for it. */
export interface NamedManifest {
  name: string;
  manifest: Manifest;
}

/** See the top of this file. */
export class Allowances {
  readonly #main: string[] = [];
  readonly #named = new Map<string, string[]>();
  readonly #used = new Set<string>();
  readonly #known = new Set<string>();
  readonly #others: readonly NamedManifest[];

  /** `texts`: the values of --allow. `others`: nodes besides the plugin, which may have been meant. */
  constructor(texts: readonly string[] = [], others: readonly NamedManifest[] = []) {
    this.#others = others;
    for (const text of texts) {
      const { node, grant } = split(text);
      if (node === null) this.#main.push(grant);
      else this.#named.set(node, [...this.#named.get(node) ?? [], grant]);
    }
  }

  /**
   * The grants of a node. `isMain`: it is the plugin. `isBundled`: it comes with sandblock. Throws Error
   * with one sentence.
   */
  of(name: string, manifest: Manifest, isMain: boolean, isBundled = false): Grants {
    const texts = isMain ? [...this.#main] : [];
    for (const one of new Set([name, manifest.name])) {
      this.#known.add(one);
      if (!this.#named.has(one)) continue;
      this.#used.add(one);
      texts.push(...this.#named.get(one)!);
    }
    const given = parsed(texts);
    if (isMain) this.#checkMeant(name, manifest);
    const grants = isBundled ? bundledGrants(manifest, given) : given;
    checkGrants(manifest, grants, isMain ? "--allow " : `--allow ${name}:`);
    return grants;
  }

  /** Throws UsageError for what the plugin does not ask for and another node does. */
  #checkMeant(plugin: string, manifest: Manifest): void {
    for (const text of this.#main) {
      const word = /^[^=]*/.exec(text)![0];
      if (!isCapability(word) || isAsked(manifest, word)) continue;
      const meant = this.#others.find((other) => isAsked(other.manifest, word));
      if (meant === undefined) continue;
      throw new UsageError(
        `cannot allow "${plugin}" to ${CAPABILITIES[word]}: it does not ask for that; ` +
          `write --allow ${meant.name}:${text} for "${meant.name}", which does`,
      );
    }
  }

  /** To be called when all nodes are known. Throws UsageError for a name that none of them has. */
  checkNames(): void {
    for (const name of this.#named.keys()) {
      if (this.#used.has(name)) continue;
      throw new UsageError(
        `cannot use --allow "${name}:...": no plugin or filter has this name` +
          didYouMean(name, this.#known),
      );
    }
  }
}

function split(text: string): { node: string | null; grant: string } {
  const word = /^[^=:]*/.exec(text)![0];
  if (isCapability(word) && text[word.length] !== ":") return { node: null, grant: text };
  const names = Object.keys(CAPABILITIES).join("|");
  const named = new RegExp(`^(.+?):((?:${names})(?:=.*)?)$`, "s").exec(text);
  return named === null ? { node: null, grant: text } : { node: named[1]!, grant: named[2]! };
}

function parsed(texts: readonly string[]): Grants {
  try {
    return parseGrants(texts);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new UsageError(error.message);
  }
}
