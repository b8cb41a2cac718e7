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
process.exitCode = context.exit.code ?? (own === 0 ? EXIT.done : EXIT.usage);
if (context.signal.aborted) process.exitCode = EXIT.interrupted;
