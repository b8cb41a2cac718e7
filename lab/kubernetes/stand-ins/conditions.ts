import { listAt, stringAt, type Json } from '../api-server/objects/types.ts';

/** The condition of this type in an object's status. */
export const findCondition = (object: unknown, type: string): Json | undefined =>
  listAt(object, 'status', 'conditions').find((one) => stringAt(one, 'type') === type);

/** A time as Leases hold it: six digits after the point. */
export const microTime = (time: Date): string => time.toISOString().replace(/Z$/, '000Z');
