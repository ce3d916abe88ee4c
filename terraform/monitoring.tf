# infra/monitoring/ holds Google's own messages as JSON (LogMetric, Dashboard, AlertPolicy), one a file,
# used unchanged: a ${...} in them is Monitoring's, not Terraform's.
locals {
  monitoring = "${path.module}/../infra/monitoring"

  log_metrics = {
    for file in fileset("${local.monitoring}/metrics", "*.json") :
    trimsuffix(file, ".json") => jsondecode(file("${local.monitoring}/metrics/${file}"))
  }
}

resource "google_logging_metric" "this" {
  for_each = local.log_metrics

  name             = each.value.name
  description      = try(each.value.description, null)
  filter           = each.value.filter
  value_extractor  = try(each.value.valueExtractor, null)
  label_extractors = try(each.value.labelExtractors, null)

  metric_descriptor {
    display_name = try(each.value.metricDescriptor.displayName, null)
    metric_kind  = each.value.metricDescriptor.metricKind
    value_type   = each.value.metricDescriptor.valueType
    unit         = try(each.value.metricDescriptor.unit, null)

    dynamic "labels" {
      for_each = try(each.value.metricDescriptor.labels, [])

      content {
        key         = labels.value.key
        value_type  = try(labels.value.valueType, "STRING")
        description = try(labels.value.description, null)
      }
    }
  }

  dynamic "bucket_options" {
    for_each = try([each.value.bucketOptions], [])

    content {
      dynamic "explicit_buckets" {
        for_each = try([bucket_options.value.explicitBuckets], [])

        content {
          bounds = explicit_buckets.value.bounds
        }
      }
      dynamic "exponential_buckets" {
        for_each = try([bucket_options.value.exponentialBuckets], [])

        content {
          num_finite_buckets = exponential_buckets.value.numFiniteBuckets
          growth_factor      = exponential_buckets.value.growthFactor
          scale              = exponential_buckets.value.scale
        }
      }
      dynamic "linear_buckets" {
        for_each = try([bucket_options.value.linearBuckets], [])

        content {
          num_finite_buckets = linear_buckets.value.numFiniteBuckets
          width              = linear_buckets.value.width
          offset             = linear_buckets.value.offset
        }
      }
    }
  }

  depends_on = [time_sleep.apis]
}

resource "google_monitoring_dashboard" "this" {
  for_each = fileset("${local.monitoring}/dashboards", "*.json")

  dashboard_json = file("${local.monitoring}/dashboards/${each.key}")

  depends_on = [google_logging_metric.this]
}

# Monitoring refuses an alert on a metric or label that it does not know yet (error 404):
# "If a metric was created recently, it could take up to 10 minutes to become available." The metrics of
# Cloud Tasks and of uptime checks come with the first queue and the first check of a project. The
# triggers replace the wait for metrics that are added or changed later.
resource "time_sleep" "metrics" {
  create_duration = "600s"

  triggers = {
    log_metrics = sha256(jsonencode({
      for name, metric in local.log_metrics : name => [metric.name, metric.metricDescriptor]
    }))
    queues = join(",", sort(keys(local.deployment.queues)))
    uptime = local.deployment.health_path
  }

  depends_on = [
    google_cloud_tasks_queue.this,
    google_logging_metric.this,
    google_monitoring_uptime_check_config.api,
  ]
}
