import type { Change, Plan } from '../model/plan.ts';
import type { ProberReport } from '../probe/types.ts';
import type { GateCheck } from '../plan/gates.ts';

/** What happens during an apply, as it happens. The command line turns it into words; nothing in here holds a secret. */
export type ApplyEvent =
  | { readonly kind: 'plan'; readonly plan: Plan }
  | { readonly kind: 'phase'; readonly number: number; readonly title: string }
  | { readonly kind: 'gates'; readonly subject: string; readonly checks: readonly GateCheck[] }
  | { readonly kind: 'change-started'; readonly change: Change; readonly number: number; readonly of: number }
  | { readonly kind: 'waiting'; readonly what: string }
  | { readonly kind: 'change-done'; readonly change: Change; readonly ms: number; readonly evidence: readonly string[] }
  | { readonly kind: 'prober-started'; readonly targets: readonly string[] }
  | { readonly kind: 'prober-report'; readonly report: ProberReport }
  | { readonly kind: 'note'; readonly text: string };

export interface Reporter {
  report(event: ApplyEvent): void;
}
