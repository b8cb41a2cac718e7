import type { Image } from './catalogue.ts';

/** An image that a project has made of one of its servers. What is on it is not kept: whatever is named, the lab boots Talos. */
export interface OwnImage extends Image {
  type: 'snapshot' | 'backup';
  description: string;
  labels: Readonly<Record<string, string>>;
  readonly created: Date;
  readonly createdFrom: { readonly id: number; readonly name: string };
  /** The server a backup belongs to. */
  boundTo: number | null;
  status: 'creating' | 'available';
  protection: { delete: boolean };
  readonly diskSize: number;
  /** A server that was made of it still shows it. */
  deleted: Date | null;
}
