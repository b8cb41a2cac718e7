import type { Control } from './controls.ts';

export interface DemoOptions {
  readonly speed: number;
  readonly parts: 'auto' | 'built-in' | 'real';
  readonly fabric: 'loopback' | 'netns';
  readonly control: Control | undefined;
  /** Folder for the lab and a home for kubectl's cache; made and removed by the caller. */
  readonly work: string;
  readonly signal: AbortSignal;
}

/** Where the demo keeps its ConfigMaps. */
export const NAMESPACE = 'default';
