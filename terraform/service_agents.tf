# Google's own accounts in this project. In an empty project an agent exists only after a request for
# it, and a grant takes effect only some time later: request, wait, grant, wait, use.
resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = toset([
    "cloudtasks.googleapis.com",
    "eventarc.googleapis.com",
    "firebasestorage.googleapis.com",
    "firestore.googleapis.com",
    "pubsub.googleapis.com",
    "secretmanager.googleapis.com",
  ])

  service = each.key

  depends_on = [time_sleep.apis]
}

# A request for its name creates Cloud Storage's agent.
data "google_storage_project_service_account" "this" {
  depends_on = [time_sleep.apis]
}

resource "time_sleep" "agents" {
  create_duration = "90s"

  depends_on = [google_project_service_identity.this, data.google_storage_project_service_account.this]
}

locals {
  agents = {
    for service, identity in google_project_service_identity.this :
    split(".", service)[0] => "serviceAccount:${identity.email}"
  }
  storage_agent = "serviceAccount:${data.google_storage_project_service_account.this.email_address}"
}

resource "google_project_iam_member" "agent" {
  #checkov:skip=CKV_GCP_49:the roles that Google made for its own agents; they cannot be restricted
  for_each = {
    # Reads the bucket's metadata and creates the topic of its events.
    eventarc = { role = "roles/eventarc.serviceAgent", member = local.agents["eventarc"] }
    # Publishes those events.
    storage = { role = "roles/pubsub.publisher", member = local.storage_agent }
    # Stores the uploads of phones in the bucket, under storage.rules.
    uploads = { role = "roles/firebasestorage.serviceAgent", member = local.agents["firebasestorage"] }
    # Creates the tokens of the tasks.
    tasks = { role = "roles/cloudtasks.serviceAgent", member = local.agents["cloudtasks"] }
  }

  project = var.project_id
  role    = each.value.role
  member  = each.value.member

  depends_on = [time_sleep.agents]
}

resource "google_project_iam_member" "event_receiver" {
  project = var.project_id
  role    = "roles/eventarc.eventReceiver"
  member  = google_service_account.caller["storage"].member
}

resource "time_sleep" "grants" {
  create_duration = "120s"

  depends_on = [google_project_iam_member.agent, google_project_iam_member.event_receiver]
}
