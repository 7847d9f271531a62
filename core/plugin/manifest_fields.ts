// SPDX-License-Identifier: MIT
// Reads fields out of the JSON of a manifest and says in one sentence what is wrong with one.

import { PluginError } from "./errors.ts";
import { didYouMean } from "./suggest.ts";
import { quoted } from "./text.ts";

/** Longest description of a plugin or parameter, in characters. */
const DESCRIPTION_LENGTH_MAX = 1024;

/** An object of a manifest together with how messages call it. */
export class Fields {
  readonly #object: Record<string, unknown>;
  readonly where: string;

  /** Throws PluginError unless `value` is an object with no keys but `keys`. */
  constructor(value: unknown, where: string, keys: readonly string[]) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new PluginError(`${where} is not an object`);
    }
    for (const key of Object.keys(value)) {
      if (keys.includes(key)) continue;
      throw new PluginError(`${where} has the unknown key ${quoted(key)}${didYouMean(key, keys)}`);
    }
    this.#object = value as Record<string, unknown>;
    this.where = where;
  }

  get(key: string): unknown {
    return Object.hasOwn(this.#object, key) ? this.#object[key] : undefined;
  }

  fail(key: string, fact: string): never {
    throw new PluginError(`${this.where} has a wrong "${key}": ${fact}`);
  }

  /** A line of text; `fallback` where it is left out, unless there is none. */
  line(key: string, lengthMax: number, fallback?: string): string {
    const value = this.get(key) ?? fallback;
    if (value === undefined) throw new PluginError(`${this.where} lacks "${key}"`);
    if (typeof value !== "string") this.fail(key, "it must be a string");
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    if (/[\x00-\x1f\x7f]/.test(value)) this.fail(key, "it must be one line");
    if (value.length > lengthMax) this.fail(key, `it may be ${lengthMax} characters long`);
    return value;
  }

  /** One of `words`; `fallback` where it is left out, unless there is none. */
  oneOf<T extends string>(key: string, words: readonly T[], fallback?: T): T {
    const value = this.get(key) ?? fallback;
    if (value === undefined) throw new PluginError(`${this.where} lacks "${key}"`);
    const word = words.find((one) => one === value);
    if (word !== undefined) return word;
    const meant = typeof value === "string" ? didYouMean(value, words) : "";
    this.fail(key, `it must be ${words.map((one) => `"${one}"`).join(" or ")}${meant}`);
  }

  boolean(key: string): boolean {
    const value = this.get(key) ?? false;
    if (typeof value !== "boolean") this.fail(key, "it must be true or false");
    return value;
  }

  description(): string {
    return this.line("description", DESCRIPTION_LENGTH_MAX, "");
  }
}
