// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { examine, verdict } from "./doctor.ts";
import { ublkFinding } from "./doctor_drivers.ts";
import { examineMemory, examineOpenFiles } from "./doctor_limits.ts";
import { gap, good } from "./finding.ts";
import { UblkFlag } from "./ublk_abi.ts";

const ROOT = good("rights", "root");
const USER = gap("rights", "not root", "become root");

Deno.test("doctor looks at every way and every limit, and has advice for each gap", async () => {
  const findings = await examine();
  assert.deepEqual(findings.map(({ subject }) => subject), [
    "attach",
    "rights",
    "ublk",
    "bdus",
    "nbd",
    "io_uring",
    "/dev",
    "state",
    "open files",
    "swap",
  ]);
  for (const { subject, ok, fact, advice } of findings) {
    assert.notEqual(fact, "", subject);
    assert.ok(ok || advice !== "", subject);
  }
});

Deno.test("the best way that there is decides", () => {
  const ways = [gap("ublk", "no", "x"), good("bdus", "yes"), good("nbd", "yes")];
  assert.match(verdict(ROOT, ways).fact, /attached through bdus$/);
  assert.ok(verdict(ROOT, ways).ok);
});

Deno.test("without a way, or without rights, devices cannot be attached", () => {
  const none = verdict(ROOT, [
    gap("ublk", "no", "x"),
    gap("bdus", "no", "x"),
    gap("nbd", "no", "x"),
  ]);
  assert.ok(!none.ok);
  assert.match(none.advice, /sandblock serve/);
  const user = verdict(USER, [good("nbd", "yes")]);
  assert.ok(!user.ok);
  assert.equal(user.advice, "become root");
  assert.ok(verdict(USER, [good("ublk", "yes")], true).ok);
});

Deno.test("features of ublk are told, and what newer kernels have beyond them", () => {
  const old = ublkFinding(0x1fe);
  assert.ok(old.ok);
  assert.match(old.fact, /with recovery, user copy, zones$/);
  assert.match(old.advice, /resize \(Linux 6\.16\)/);
  assert.equal(ublkFinding(0xfffff).advice, "");
  const unzoned = ublkFinding(0xfffff & ~UblkFlag.Zoned);
  assert.equal(unzoned.advice, "not there: zones (Linux 6.6 with CONFIG_BLK_DEV_ZONED)");
  assert.ok(!ublkFinding(UblkFlag.UserRecovery).ok);
});

Deno.test("few open files are a gap", () => {
  const limits = (count: string) =>
    `Limit  Soft Limit\nMax open files            ${count}    99 files`;
  assert.ok(!examineOpenFiles(limits("256")).ok);
  assert.ok(examineOpenFiles(limits("1048576")).ok);
  assert.ok(examineOpenFiles(limits("unlimited")).ok);
});

Deno.test("a machine that swaps is told what to do", () => {
  const head = "Filename Type Size Used Priority";
  assert.equal(examineMemory(head).advice, "");
  assert.match(examineMemory(`${head}\n/dev/sda2 partition 1 0 -2`).advice, /MemorySwapMax=0/);
});
