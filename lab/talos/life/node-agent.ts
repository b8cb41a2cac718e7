import type { Machine } from '../machine.ts';

/** The kubelet's visible work towards the API: this machine's Node object and its heartbeats. */
export interface NodeAgent {
  configChanged(): void;
  stop(): void;
}

export function startNodeAgent(_machine: Machine, _signal: AbortSignal): NodeAgent {
  return { configChanged() {}, stop() {} };
}
