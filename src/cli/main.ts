import { enableCompileCache } from 'node:module';
import { ExitCode as Stricli, run } from '@stricli/core';
import { EXIT } from '../base/failure.ts';
import { createApp } from './app.ts';
import { createContext } from './context.ts';
import { usageFailure, wantsJson } from './usage.ts';

enableCompileCache();

const context = createContext(process);
const words = process.argv.slice(2);
let mistake: string | undefined;
await run(
  createApp((message) => (mistake = message)),
  words,
  context,
);
// The library's own codes: an unknown command and a bad argument are the user's, all else is ours.
const own = Number(process.exitCode ?? 0);
const misused = own === Stricli.UnknownCommand || own === Stricli.InvalidArgument;
if (misused && wantsJson(words)) process.stdout.write(usageFailure(words, mistake ?? 'The command is not understood'));
const said = context.exit.code ?? (own === 0 ? EXIT.done : misused ? EXIT.usage : EXIT.bug);

// Everything has been said: a client library that still waits for a dead server must not keep the user waiting.
const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => stream.write('', () => resolve()));
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
const code = said === EXIT.done && context.outputLost() ? EXIT.failure : said;
process.exit(context.signal.aborted ? EXIT.interrupted : code);
