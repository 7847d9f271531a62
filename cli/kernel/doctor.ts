// SPDX-License-Identifier: MIT
// What `sandblock doctor` prints.

import { examine } from "../../core/kernel/doctor.ts";
import { columns } from "../declare/text.ts";
import { print } from "../output.ts";

/** Says what this kernel offers; exit status 2 when no device can be attached. */
export async function runDoctor(json: boolean): Promise<number> {
  const findings = await examine();
  if (json) print(JSON.stringify(findings, null, 2) + "\n");
  else {
    const rows = findings.map(({ subject, ok, fact, advice }) => {
      const words = advice === "" ? fact : `${fact}; ${advice}`;
      return [`${ok ? "yes" : "no "}  ${subject}`, words] as const;
    });
    print(columns(rows, 20).join("\n") + "\n");
  }
  return findings[0]!.ok ? 0 : 2;
}
