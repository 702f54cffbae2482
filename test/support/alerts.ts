export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook_url', string>>
}

/** The alerts of a PrometheusRule, in its order; rules that record are left out. */
export function alertsOf(rule: { readonly [field: string]: unknown }): AlertRule[] {
  const { groups } = rule['spec'] as { groups: { rules: AlertRule[] }[] }
  return groups.flatMap(({ rules }) => rules.filter(({ alert }) => alert !== undefined))
}
