# infra/monitoring/alerts/ holds AlertPolicy messages as JSON, one a file. This file adds the
# notification channels and the links to the runbooks.
locals {
  alerts = {
    for file in fileset("${local.monitoring}/alerts", "*.json") :
    trimsuffix(file, ".json") => jsondecode(file("${local.monitoring}/alerts/${file}"))
  }
}

resource "google_monitoring_alert_policy" "this" {
  for_each = local.alerts

  display_name          = each.value.displayName
  combiner              = each.value.combiner
  severity              = try(each.value.severity, null)
  enabled               = try(each.value.enabled, true)
  user_labels           = try(each.value.userLabels, null)
  notification_channels = local.channels

  dynamic "documentation" {
    for_each = try([each.value.documentation], [])

    content {
      content   = documentation.value.content
      mime_type = try(documentation.value.mimeType, "text/markdown")
      subject   = try(documentation.value.subject, null)

      links {
        display_name = "Runbook"
        url          = "${var.runbooks_url}/${each.value.userLabels.runbook}.md"
      }
    }
  }

  dynamic "alert_strategy" {
    for_each = try([each.value.alertStrategy], [])

    content {
      auto_close           = try(alert_strategy.value.autoClose, null)
      notification_prompts = try(alert_strategy.value.notificationPrompts, null)

      dynamic "notification_rate_limit" {
        for_each = try([alert_strategy.value.notificationRateLimit], [])

        content {
          period = notification_rate_limit.value.period
        }
      }
    }
  }

  dynamic "conditions" {
    for_each = each.value.conditions

    content {
      display_name = conditions.value.displayName

      dynamic "condition_threshold" {
        for_each = try([conditions.value.conditionThreshold], [])

        content {
          filter                  = condition_threshold.value.filter
          denominator_filter      = try(condition_threshold.value.denominatorFilter, null)
          comparison              = condition_threshold.value.comparison
          threshold_value         = try(condition_threshold.value.thresholdValue, 0)
          duration                = condition_threshold.value.duration
          evaluation_missing_data = try(condition_threshold.value.evaluationMissingData, null)

          dynamic "aggregations" {
            for_each = try(condition_threshold.value.aggregations, [])

            content {
              alignment_period     = try(aggregations.value.alignmentPeriod, null)
              per_series_aligner   = try(aggregations.value.perSeriesAligner, null)
              cross_series_reducer = try(aggregations.value.crossSeriesReducer, null)
              group_by_fields      = try(aggregations.value.groupByFields, null)
            }
          }

          dynamic "denominator_aggregations" {
            for_each = try(condition_threshold.value.denominatorAggregations, [])

            content {
              alignment_period     = try(denominator_aggregations.value.alignmentPeriod, null)
              per_series_aligner   = try(denominator_aggregations.value.perSeriesAligner, null)
              cross_series_reducer = try(denominator_aggregations.value.crossSeriesReducer, null)
              group_by_fields      = try(denominator_aggregations.value.groupByFields, null)
            }
          }

          dynamic "trigger" {
            for_each = try([condition_threshold.value.trigger], [])

            content {
              count   = try(trigger.value.count, null)
              percent = try(trigger.value.percent, null)
            }
          }
        }
      }

      dynamic "condition_absent" {
        for_each = try([conditions.value.conditionAbsent], [])

        content {
          filter   = condition_absent.value.filter
          duration = condition_absent.value.duration

          dynamic "aggregations" {
            for_each = try(condition_absent.value.aggregations, [])

            content {
              alignment_period     = try(aggregations.value.alignmentPeriod, null)
              per_series_aligner   = try(aggregations.value.perSeriesAligner, null)
              cross_series_reducer = try(aggregations.value.crossSeriesReducer, null)
              group_by_fields      = try(aggregations.value.groupByFields, null)
            }
          }

          dynamic "trigger" {
            for_each = try([condition_absent.value.trigger], [])

            content {
              count   = try(trigger.value.count, null)
              percent = try(trigger.value.percent, null)
            }
          }
        }
      }

      dynamic "condition_matched_log" {
        for_each = try([conditions.value.conditionMatchedLog], [])

        content {
          filter           = condition_matched_log.value.filter
          label_extractors = try(condition_matched_log.value.labelExtractors, null)
        }
      }

      dynamic "condition_prometheus_query_language" {
        for_each = try([conditions.value.conditionPrometheusQueryLanguage], [])

        content {
          query                     = condition_prometheus_query_language.value.query
          duration                  = try(condition_prometheus_query_language.value.duration, null)
          evaluation_interval       = try(condition_prometheus_query_language.value.evaluationInterval, null)
          labels                    = try(condition_prometheus_query_language.value.labels, null)
          rule_group                = try(condition_prometheus_query_language.value.ruleGroup, null)
          alert_rule                = try(condition_prometheus_query_language.value.alertRule, null)
          disable_metric_validation = try(condition_prometheus_query_language.value.disableMetricValidation, null)
        }
      }
    }
  }

  depends_on = [time_sleep.metrics]

  lifecycle {
    precondition {
      condition = alltrue([
        for condition in each.value.conditions : length(setintersection(keys(condition), [
          "conditionThreshold", "conditionAbsent", "conditionMatchedLog", "conditionPrometheusQueryLanguage",
        ])) == 1
      ])
      error_message = "Each condition is exactly one of: threshold, absent, matched log, PromQL. Others need a block above."
    }
  }
}
