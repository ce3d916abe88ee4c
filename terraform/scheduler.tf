resource "google_cloud_scheduler_job" "this" {
  for_each = local.deployment.schedules

  name             = each.key
  region           = var.region
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = "${each.value.deadline_seconds}s"

  retry_config {
    # No retries: the next run follows anyway, and a second run would only slow down a slow one.
    retry_count = 0
  }

  http_target {
    http_method = "POST"
    uri         = google_cloudfunctions2_function.this[each.value.function].service_config[0].uri

    oidc_token {
      service_account_email = google_service_account.caller["scheduler"].email
      audience              = google_cloudfunctions2_function.this[each.value.function].service_config[0].uri
    }
  }
}
