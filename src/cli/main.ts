import { enableCompileCache } from 'node:module';
import { run } from '@stricli/core';
import { EXIT } from '../base/failure.ts';
import { app } from './app.ts';
import { createContext } from './context.ts';

enableCompileCache();

const context = createContext(process);
await run(app, process.argv.slice(2), context);
// stricli's own codes are negative or small: unknown command and bad argument are usage errors of ours.
const own = Number(process.exitCode ?? 0);
const code = context.signal.aborted ? EXIT.interrupted : (context.exit.code ?? (own === 0 ? EXIT.done : EXIT.usage));

// Everything has been said: a client library that still waits for a dead server must not keep the user waiting.
const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => stream.write('', () => resolve()));
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
process.exit(code);
