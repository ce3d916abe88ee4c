# Sign-in of users. Only a signed-in user can access a document, a bucket or the API.
resource "google_identity_platform_config" "this" {
  authorized_domains         = concat(["${var.project_id}.firebaseapp.com"], var.sign_in_domains)
  autodelete_anonymous_users = true

  sign_in {
    allow_duplicate_emails = false

    anonymous {
      enabled = false # visits of an anonymous user could be neither returned nor deleted on request
    }

    email {
      enabled           = true
      password_required = true
    }
  }

  mfa {
    state = "ENABLED" # optional, not mandatory for patients

    provider_configs {
      state = "ENABLED"

      totp_provider_config {
        adjacent_intervals = 1
      }
    }
  }

  monitoring {
    request_logging {
      enabled = true
    }
  }

  depends_on = [google_firebase_project.this]
}
