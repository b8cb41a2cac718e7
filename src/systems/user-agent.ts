import { VERSION } from '../base/version.ts';

/** The User-Agent of every request on every protocol; the lab tells fairlead's own calls by it. */
export const USER_AGENT = `fairlead/${VERSION}`;
