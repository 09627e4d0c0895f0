/** One row of the error table: what a code means at every edge. */
export interface ErrorSpec {
  /** What went wrong, in words that need no context and hold no caller's text. */
  readonly message: string;
  /** HTTP status (RFC 9110). */
  readonly http: number;
  /** Process exit code of the command line (sysexits). */
  readonly exit: 1 | 64 | 65 | 66 | 69 | 70 | 75 | 77 | 78 | 130;
  /** Whether the same request may succeed later without a change. */
  readonly retry: boolean;
  /** One thing the reader can do next. */
  readonly next: string;
}
