# One account a function, with what deployment.json says it may do and nothing else.
resource "google_service_account" "function" {
  for_each = local.services

  account_id   = each.value
  display_name = "Function ${each.key}"

  depends_on = [time_sleep.apis]
}

# Those who call functions, and nothing else.
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

# Only the buckets that hold source code: the recordings are in the same project.
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

# Of the bucket itself no more than that it is there, which the health check asks.
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

# An object hold is a field of the object's metadata. Updating includes neither reading the content
# nor replacing it.
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

# Opens the session by which a client uploads. Creating does not include replacing.
resource "google_storage_bucket_iam_member" "receive_recordings" {
  for_each = local.allowed.receive_recordings

  bucket = google_storage_bucket.recordings.name
  role   = "roles/storage.objectCreator"
  member = google_service_account.function[each.key].member
}

# A function has no key: it asks the IAM service to sign in its own name, and in no other.
resource "google_service_account_iam_member" "sign_urls" {
  for_each = local.allowed.sign_urls

  service_account_id = google_service_account.function[each.key].name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.function[each.key].member
}

# Whoever creates a task that carries a token must be allowed to act as the account in the token.
resource "google_service_account_iam_member" "create_tasks" {
  for_each = local.allowed.create_tasks

  service_account_id = google_service_account.caller["tasks"].name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.function[each.key].member
}

# Verifying a token includes asking whether it was revoked.
resource "google_project_iam_member" "read_users" {
  for_each = local.allowed.read_users

  project = var.project_id
  role    = "roles/firebaseauth.viewer"
  member  = google_service_account.function[each.key].member
}

# What an operator does through the API: look at queues and scheduled calls, pause, resume and run
# them; never change or delete one.
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
