resource "google_monitoring_notification_channel" "email" {
  for_each = var.notification_emails

  type         = "email"
  display_name = each.key
  labels       = { email_address = each.key }

  depends_on = [time_sleep.apis]
}

locals {
  # Slack and PagerDuty are authorized in the console, so that their tokens are not in the state; their
  # ids name them here.
  channels = concat(
    [for channel in google_monitoring_notification_channel.email : channel.id],
    var.notification_channels,
  )
}
