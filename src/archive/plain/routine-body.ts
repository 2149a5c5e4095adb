/**
 * Whether a statement is inside a routine's body of plain SQL, whose semicolons do not end it: `CREATE [OR REPLACE]
 * FUNCTION|PROCEDURE … BEGIN ATOMIC … END`, with `CASE … END` inside. Stands in for begin_depth of psqlscan.l.
 *
 * psql takes any BEGIN for one, which may also be a name: what follows such a routine would be run with it, unread. Here
 * ATOMIC must follow, as it must for the server.
 */

import { isSpace } from "./byte-classes.ts";

export class RoutineBody {
  #words = 0;
  #head = "";
  #depth = 0;
  /** Index behind the last word BEGIN; negative: none that is at hand. */
  #began = -1;

  get isOpen(): boolean {
    return this.#depth > 0;
  }

  /** A statement begins. */
  begin(): void {
    this.#words = 0;
    this.#head = "";
    this.#depth = 0;
    this.#began = -1;
  }

  /** `count` bytes were taken from the front of the window. */
  shift(count: number): void {
    this.#began -= count;
  }

  /** Takes in the word at `[at, end)` of the window, outside of quotes. Words in parentheses are no part of the body's frame. */
  word(window: Buffer, at: number, end: number, inParentheses: boolean): void {
    this.#words++;
    const word = window.toString("latin1", at, Math.min(end, at + 10)).toUpperCase();
    if (this.#words <= 4) this.#head += `${word} `;
    if (inParentheses) return;
    if (word === "BEGIN") this.#began = end;
    else if (word === "CASE" && this.#depth > 0) this.#depth++;
    else if (word === "END" && this.#depth > 0) this.#depth--;
    else if (word === "ATOMIC" && this.#depth === 0 && this.#began >= 0) {
      const isBody = window.subarray(this.#began, at).every(isSpace);
      if (isBody && /^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) /.test(this.#head)) this.#depth = 1;
    }
  }
}
