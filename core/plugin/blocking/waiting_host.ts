// SPDX-License-Identifier: MIT
// An instance whose calls may wait: when what one waits for has ended, the plugin is not called, as
// sb_done would be, but goes on.

import { Status } from "../../block/request.ts";
import { Host } from "../host.ts";

/** The token of everything that is waited for; an instance waits for one thing at a time. */
export const WAIT_TOKEN = 1;

/** See the top of this file. */
export class WaitingHost extends Host {
  /** Nobody calls it, but what ends later is only begun where there is one. */
  override sbDone: ((token: number, result: number) => void) | null = () => {};
  #goOn: ((result: number) => void) | null = null;

  /** The plugin waits; `goOn` is called with the result. */
  wait(goOn: (result: number) => void): void {
    this.#goOn = goOn;
  }

  /** Nobody waits any more. */
  forget(): void {
    this.#goOn = null;
    this.agenda.cancelAll(this);
  }

  override done(_token: number, result: number, text: string): void {
    const goOn = this.#goOn;
    if (goOn === null) return;
    this.#goOn = null;
    if (text !== "") this.errorText = text;
    goOn(result);
  }

  /** The call for the request `id` has returned `status`, and breaks the rules where `lie` says how. */
  returned(id: number, status: number, lie: string): void {
    const answer = this.answers.find(id);
    if (answer === null) return;
    const late = "it left the request pending, though it may wait";
    answer.lied(this.lie || lie || (status === Status.Pending ? late : ""));
    this.lie = "";
    this.complete(id, status);
  }

  /** The instance has failed in a call, as `text` says. */
  fail(text: string): void {
    this.errorText = text;
    this.instanceFailed();
  }
}
