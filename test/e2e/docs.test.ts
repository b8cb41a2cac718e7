import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root, run } from './harness.ts';

interface Block {
  readonly page: string;
  readonly line: number;
  readonly text: string;
}

/** Every fenced `sh` block of a page, in order. */
function blocksOf(page: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; indent: string; lines: string[] } | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    const fence = /^(\s*)```(\w*)\s*$/.exec(line);
    if (open === undefined) {
      if (fence?.[2] === 'sh') open = { line: i + 1, indent: fence[1] ?? '', lines: [] };
    } else if (fence !== null) {
      blocks.push({ page, line: open.line, text: open.lines.join('\n') });
      open = undefined;
    } else open.lines.push(line.slice(open.indent.length));
  }
  return blocks;
}

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...(await readdir(path.join(root, 'docs'), { recursive: true }))
    .filter((f) => f.endsWith('.md'))
    .map((f) => path.join('docs', f)),
];
// The README first: it installs what the others use. A page's blocks build on each other.
const blocks = (
  await Promise.all(pages.map(async (page) => blocksOf(page, await readFile(path.join(root, page), 'utf8'))))
).flat();

/** This very test runs inside that command; CI runs it in a fresh clone. */
const ITSELF = 'npm ci && npm test';

describe('what the pages tell people to type', () => {
  let work: string;
  let clone: string;
  const env = {
    PATH: (process.env['PATH'] ?? '')
      .split(':')
      .filter((dir) => !dir.includes('node_modules'))
      .join(':'),
  };
  beforeAll(async () => {
    work = await mkdtemp(path.join(os.tmpdir(), 'fairlead-docs-'));
    clone = path.join(work, 'clone');
    const cloned = await run('git', ['clone', '--quiet', root, clone]);
    expect(cloned.code, cloned.stderr).toBe(0);
  });
  afterAll(async () => {
    await run('npx', ['fairlead', 'lab', 'down'], { cwd: clone, env });
    await rm(work, { recursive: true, force: true });
  });

  test('the README has its two commands', () => {
    expect(blocks.filter((b) => b.page === 'README.md').map((b) => b.text)).toEqual(['npm ci && npm run demo', ITSELF]);
  });

  test('the second of them is what CI runs', async () => {
    const ci = await readFile(path.join(root, '.ci/run'), 'utf8');
    expect(ci).toMatch(/^npm ci/m);
    expect(ci.trimEnd().endsWith('npm test')).toBe(true);
  });

  for (const block of blocks.filter((b) => b.text !== ITSELF)) {
    test(`${block.page}:${block.line} ${block.text.split('\n')[0]}`, { timeout: 400_000 }, async () => {
      const ran = await run('bash', ['-euo', 'pipefail', '-c', block.text], { cwd: clone, env });
      expect(ran.code, `${ran.stdout}\n${ran.stderr}`).toBe(0);
    });
  }
});

describe('what the pages say', () => {
  test('every link to a file of this repository leads somewhere', async () => {
    const broken: string[] = [];
    for (const page of pages) {
      const text = await readFile(path.join(root, page), 'utf8');
      for (const [, target] of text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (target === undefined || /^[a-z]+:/.test(target)) continue;
        const file = path.resolve(root, path.dirname(page), target);
        const there = await readFile(file).then(
          () => true,
          (error: NodeJS.ErrnoException) => error.code === 'EISDIR',
        );
        if (!there) broken.push(`${page} -> ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  test('every cause that the how-to explains is a rule that exists', async () => {
    const page = await readFile(path.join(root, 'docs/how-to/find-the-cause.md'), 'utf8');
    const named = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map((m) => m[1]!);
    expect(named.length).toBeGreaterThan(3);
    const rules: string[] = [];
    for (const file of await readdir(path.join(root, 'src/diagnose'), { recursive: true })) {
      if (file.endsWith('.ts') && !file.endsWith('.test.ts'))
        rules.push(await readFile(path.join(root, 'src/diagnose', file), 'utf8'));
    }
    const text = rules.join('\n');
    expect(named.filter((id) => !text.includes(`'${id}'`))).toEqual([]);
  });

  test('every command of the reference is one that the tool has', async () => {
    const page = await readFile(path.join(root, 'docs/reference/commands.md'), 'utf8');
    const commands = [...page.matchAll(/^\| `fairlead ([a-z ]+)` \|/gm)].map((m) => m[1]!.trim());
    expect(commands.length).toBeGreaterThan(6);
    for (const command of commands) {
      const help = await run(process.execPath, [path.join(root, 'src/cli/main.ts'), ...command.split(' '), '--help']);
      expect(help.code, command).toBe(0);
      expect(help.stdout).toMatch(/Example/);
    }
  });
});
