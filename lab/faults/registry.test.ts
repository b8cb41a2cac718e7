import { fc, test } from '@fast-check/vitest';
import { describe, expect, vi } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createFaults } from './registry.ts';
import type { Standing } from './types.ts';

const all = (): boolean => true;

/** A world of one pile: each standing fault puts its id on top, its end takes it off. */
function pile() {
  const things: string[] = [];
  const faults = createFaults({
    clock: systemClock,
    begin: async (fault): Promise<Standing | undefined> => {
      if (fault.kind === 'broken') throw new Error('cannot begin');
      if (fault.kind !== 'standing') return undefined;
      things.push(fault.id);
      return {
        note: 'begun',
        undo: async () => {
          if (things.at(-1) !== fault.id) throw new Error(`${things.at(-1)} lies on top`);
          things.pop();
          return undefined;
        },
      };
    },
  });
  return { faults, things };
}

describe('a fault', () => {
  test.prop([fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 9 })])(
    'acts as often as it was told to, and is shown with what it has done',
    async (count, asked) => {
      const { faults } = pile();
      await faults.set({ kind: 'reset', parameters: { count } });
      const taken = Array.from({ length: asked }, () => faults.take('reset', all)).filter((f) => f !== undefined);
      const hits = Math.min(count, asked);
      expect(taken).toHaveLength(hits);
      expect(faults.show()).toMatchObject([{ hits, left: count - hits, state: hits === count ? 'spent' : 'active' }]);
    },
  );

  test('whose count is used up goes on for those it holds, until it is cleared', async () => {
    const { faults } = pile();
    await faults.set({ kind: 'hang', parameters: { count: 1 } });
    const held = faults.take('hang', all);
    expect(faults.take('hang', all)).toBeUndefined();
    expect(held?.signal.aborted).toBe(false);
    await faults.clear();
    expect(held?.signal.aborted).toBe(true);
    expect(faults.show()).toEqual([]);
  });

  test('that was kept is set again in another world, with what it has done, what it may still do and when it ends', async () => {
    const before = pile();
    await before.faults.set({ kind: 'status', parameters: { count: 3 } });
    await before.faults.set({ kind: 'standing', parameters: { duration: 300 } });
    await before.faults.set({ kind: 'standing', parameters: {} });
    before.faults.take('status', all);
    const saved = before.faults.save();
    const shown = before.faults.show();

    const { faults, things } = pile();
    await faults.load(structuredClone(saved));
    expect(faults.show()).toEqual(shown);
    expect(things).toEqual(['f2', 'f3']);
    expect((await faults.set({ kind: 'status', parameters: {} })).id).toBe('f4');
    await faults.clear('f3');
    await vi.waitFor(() => expect(things).toEqual([]));
  });

  test('the first that matches is taken; the others keep their count', async () => {
    const { faults } = pile();
    await faults.set({ kind: 'status', parameters: { count: 1, status: 423 } });
    await faults.set({ kind: 'status', parameters: { count: 1, status: 500 } });
    expect(faults.take('status', (p) => p['status'] === 500)?.id).toBe('f2');
    expect(faults.take('status', all)?.id).toBe('f1');
    expect(faults.take('status', all)).toBeUndefined();
  });

  test('that cannot begin is not there', async () => {
    const { faults } = pile();
    await expect(faults.set({ kind: 'broken', parameters: {} })).rejects.toThrow('cannot begin');
    expect(faults.show()).toEqual([]);
    expect((await faults.set({ kind: 'reset', parameters: {} })).id).toBe('f2');
  });

  test('ends by itself when its time is over', async () => {
    const { faults, things } = pile();
    await faults.set({ kind: 'standing', parameters: { duration: 30 } });
    expect(things).toEqual(['f1']);
    await expect.poll(() => things).toEqual([]);
    expect(faults.show()).toMatchObject([{ state: 'spent', notes: ['begun'] }]);
    expect(await faults.clear('f1')).toHaveLength(1);
  });
});

describe('clearing', () => {
  test.prop([fc.array(fc.constantFrom('standing', 'reset'), { maxLength: 8 })])(
    'all undoes the last first, and leaves nothing',
    async (kinds) => {
      const { faults, things } = pile();
      for (const kind of kinds) await faults.set({ kind, parameters: {} });
      expect(things).toHaveLength(kinds.filter((kind) => kind === 'standing').length);
      const cleared = await faults.clear();
      expect(cleared.map((f) => f.id)).toEqual(kinds.map((_, i) => `f${i + 1}`).toReversed());
      expect(cleared.flatMap((f) => f.notes).filter((note) => note !== 'begun')).toEqual([]);
      expect([things, faults.show()]).toEqual([[], []]);
    },
  );

  test('tells what could not be undone, and forgets the fault all the same', async () => {
    const { faults } = pile();
    await faults.set({ kind: 'standing', parameters: {} });
    await faults.set({ kind: 'standing', parameters: {} });
    const [cleared] = await faults.clear('f1');
    expect(cleared?.notes.at(-1)).toBe('could not be undone: f2 lies on top');
    expect(faults.show().map((f) => f.id)).toEqual(['f2']);
  });

  test('one that is not there is a mistake', async () => {
    const { faults } = pile();
    await faults.set({ kind: 'reset', parameters: {} });
    await expect(faults.clear('f9')).rejects.toThrow('f1');
  });
});
