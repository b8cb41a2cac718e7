import type { Redacted } from '../base/redacted.ts';
import type { NodeObservation } from '../model/observation.ts';

