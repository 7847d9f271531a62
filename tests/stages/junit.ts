// SPDX-License-Identifier: MIT
// The numbers in a report of `deno test --junit-path`.

/** What became of the tests of one run. */
export interface TestCounts {
  tests: number;
  failed: number;
  /** Names of those that did not run. */
  ignored: string[];
}

/** Reads a report. Throws SyntaxError when it is none, or when it was not finished. */
export function readCounts(xml: string): TestCounts {
  const head = xml.match(/<testsuites [^>]*tests="(\d+)" failures="(\d+)" errors="(\d+)"/);
  if (!head || !xml.includes("</testsuites>")) {
    throw new SyntaxError("the test report is incomplete");
  }
  const ignored = xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g);
  return {
    tests: Number(head[1]),
    failed: Number(head[2]) + Number(head[3]),
    ignored: [...ignored].map((match) => unescape(match[1]!)),
  };
}

function unescape(text: string): string {
  const characters: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  return text.replace(/&(amp|lt|gt|quot|apos);/g, (_, name) => characters[name]!);
}
