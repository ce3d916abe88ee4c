# Audit log of reads and changes in the stores of visits. Firestore's audit log is Datastore's.
resource "google_project_iam_audit_config" "this" {
  for_each = toset([
    "cloudkms.googleapis.com",
    "datastore.googleapis.com",
    "secretmanager.googleapis.com",
    "storage.googleapis.com",
  ])

  project = var.project_id
  service = each.key

  dynamic "audit_log_config" {
    for_each = toset(["ADMIN_READ", "DATA_READ", "DATA_WRITE"])

    content {
      log_type = audit_log_config.key
    }
  }

  depends_on = [time_sleep.apis]
}

# Separate from the application's log, which expires after 30 days.
resource "google_logging_project_bucket_config" "audit" {
  project        = var.project_id
  location       = var.region
  bucket_id      = "audit"
  description    = "Accesses to visits, keys and secrets"
  retention_days = var.audit_log_retention_days
  locked         = var.audit_log_locked

  depends_on = [time_sleep.apis]
}

resource "google_logging_project_sink" "audit" {
  name                   = "audit"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.audit.id}"
  filter                 = "log_id(\"cloudaudit.googleapis.com/data_access\") OR log_id(\"cloudaudit.googleapis.com/activity\")"
  unique_writer_identity = true
}
