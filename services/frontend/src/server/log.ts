/**
 * JSON lines on stdout, with the field names all services of the application share. Callers pass ids and numbers, never
 * a token, an e-mail address or a task's text.
 */
const ranks = { debug: 10, info: 20, warning: 30, error: 40 } as const;

export type LogLevel = keyof typeof ranks;
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

/** Returns a log that drops lines below `threshold` and passes each line to `write`. */
export function createLog(threshold: LogLevel, write: (line: string) => void, now = () => new Date()): Log {
  return (level, event, fields = {}) => {
    if (ranks[level] < ranks[threshold]) return;
    const line = { timestamp: now().toISOString(), level, event, service: "frontend", ...fields };
    write(`${JSON.stringify(line)}\n`);
  };
}

/** Returns what may be logged of an unknown thrown value: its class and message, on one line. */
export function describeError(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: "thrown value is not an Error" };
  return { error: error.name, detail: error.message, stack: error.stack };
}
