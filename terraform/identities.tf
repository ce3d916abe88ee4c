# One account a function, with exactly the permissions in deployment.json.
resource "google_service_account" "function" {
  for_each = local.services

  account_id   = each.value
  display_name = "Function ${each.key}"

  depends_on = [time_sleep.apis]
}

# Accounts that may only call functions.
resource "google_service_account" "caller" {
  for_each = {
    storage   = "Delivers the events of the recordings' bucket"
    tasks     = "Calls on behalf of Cloud Tasks"
    scheduler = "Calls on behalf of Cloud Scheduler"
  }

  account_id   = "call-from-${each.key}"
  display_name = each.value

  depends_on = [time_sleep.apis]
}

# Builds the functions' images, in place of the powerful default account.
resource "google_service_account" "builder" {
  account_id   = "builder"
  display_name = "Builds the functions"

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_member" "builder" {
  for_each = toset(["roles/artifactregistry.writer", "roles/logging.logWriter"])

  project = var.project_id
  role    = each.key
  member  = google_service_account.builder.member
}

# Only the buckets with source code, since the recordings are in the same project.
resource "google_project_iam_member" "builder_source" {
  project = var.project_id
  role    = "roles/storage.objectViewer"
  member  = google_service_account.builder.member

  condition {
    title      = "source code only"
    expression = <<-CEL
      resource.name.startsWith("projects/_/buckets/gcf-v2-sources-") ||
      resource.name.startsWith("projects/_/buckets/${google_storage_bucket.source.name}/")
    CEL
  }
}

resource "google_project_iam_member" "use_firestore" {
  for_each = local.allowed.use_firestore

  project = var.project_id
  role    = "roles/datastore.user"
  member  = google_service_account.function[each.key].member

  condition {
    title      = "the visits' database"
    expression = "resource.name == \"${google_firestore_database.this.id}\""
  }
}

# The bucket's existence is the only other permission; the health check needs it.
resource "google_project_iam_custom_role" "read_recordings" {
  role_id     = "lumimdRecordingReader"
  title       = "LumiMD: finds and reads recordings"
  permissions = ["storage.buckets.get", "storage.objects.get", "storage.objects.list"]

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket_iam_member" "read_recordings" {
  for_each = local.allowed.read_recordings

  bucket = google_storage_bucket.recordings.name
  role   = google_project_iam_custom_role.read_recordings.name
  member = google_service_account.function[each.key].member
}

resource "google_project_iam_custom_role" "delete_recordings" {
  role_id     = "lumimdRecordingEraser"
  title       = "LumiMD: finds and deletes recordings"
  permissions = ["storage.objects.delete", "storage.objects.list"]

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket_iam_member" "delete_recordings" {
  for_each = local.allowed.delete_recordings

  bucket = google_storage_bucket.recordings.name
  role   = google_project_iam_custom_role.delete_recordings.name
  member = google_service_account.function[each.key].member
}

# An object hold is a field of the object's metadata. The update permission does not include reading
# or replacing the content.
resource "google_project_iam_custom_role" "hold_recordings" {
  role_id     = "lumimdRecordingHolder"
  title       = "LumiMD: puts recordings under hold"
  permissions = ["storage.objects.get", "storage.objects.list", "storage.objects.update"]

  depends_on = [time_sleep.apis]
}

resource "google_storage_bucket_iam_member" "hold_recordings" {
  for_each = local.allowed.hold_recordings

  bucket = google_storage_bucket.recordings.name
  role   = google_project_iam_custom_role.hold_recordings.name
  member = google_service_account.function[each.key].member
}

# Opens the upload session of a client. The permission to create does not include replacing.
resource "google_storage_bucket_iam_member" "receive_recordings" {
  for_each = local.allowed.receive_recordings

  bucket = google_storage_bucket.recordings.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.function[each.key].member
}

# A function has no key: the IAM service signs for it, and only in the function's own name.
resource "google_service_account_iam_member" "sign_urls" {
  for_each = local.allowed.sign_urls

  service_account_id = google_service_account.function[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.function[each.key].member
}

# The creator of a task with a token must be allowed to act as the account in the token.
resource "google_service_account_iam_member" "create_tasks" {
  for_each = local.allowed.create_tasks

  service_account_id = google_service_account.caller["tasks"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.function[each.key].member
}

# The verification of a token includes a check for its revocation.
resource "google_project_iam_member" "read_users" {
  for_each = local.allowed.read_users

  project = var.project_id
  role    = "roles/firebaseauth.viewer"
  member  = google_service_account.function[each.key].member
}

# Actions of an operator through the API: read, pause, resume and run queues and scheduled calls; never
# change or delete one.
resource "google_project_iam_custom_role" "operate" {
  role_id = "lumimdOperator"
  title   = "LumiMD: looks at, pauses and resumes queues and scheduled calls"
  permissions = [
    "cloudscheduler.jobs.enable",
    "cloudscheduler.jobs.get",
    "cloudscheduler.jobs.list",
    "cloudscheduler.jobs.pause",
    "cloudscheduler.jobs.run",
    "cloudtasks.queues.get",
    "cloudtasks.queues.list",
    "cloudtasks.queues.pause",
    "cloudtasks.queues.resume",
    "cloudtasks.tasks.list",
  ]

  depends_on = [time_sleep.apis]
}

resource "google_project_iam_member" "operate" {
  for_each = local.allowed.operate

  project = var.project_id
  role    = google_project_iam_custom_role.operate.name
  member  = google_service_account.function[each.key].member
}
