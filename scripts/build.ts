// Bundles the tool into dist/: one entry, split so that a command loads only what it uses; the lab apart from the tool.
import { chmod, rm } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

const root = path.resolve(import.meta.dirname, '..');
const dist = path.join(root, 'dist');
await rm(dist, { recursive: true, force: true });
const result = await build({
  absWorkingDir: root,
  entryPoints: {
    fairlead: 'src/cli/main.ts',
    // The lab's process is started by file name.
    daemon: 'lab/world/daemon.ts',
  },
  outdir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  // Some dependencies are CommonJS and call require.
  banner: {
    js: "import{createRequire as fairleadRequire}from'node:module';const require=fairleadRequire(import.meta.url);",
  },
});
await chmod(path.join(dist, 'fairlead.js'), 0o755);
const bytes = Object.entries(result.metafile.outputs).filter(([file]) => file.endsWith('.js'));
console.log(`dist: ${bytes.length} files, ${Math.round(bytes.reduce((sum, [, o]) => sum + o.bytes, 0) / 1024)} KiB`);
