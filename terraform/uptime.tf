# External probes, with the requests of a client.
resource "google_monitoring_uptime_check_config" "api" {
  display_name       = "api"
  period             = "60s"
  timeout            = "10s"
  log_check_failures = true

  http_check {
    path         = local.deployment.health_path
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type = "uptime_url"
    labels = {
      project_id = var.project_id
      host       = trimprefix(local.addresses["api"], "https://")
    }
  }

  depends_on = [google_cloudfunctions2_function.this]
}
