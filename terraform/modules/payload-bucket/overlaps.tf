# Two notifications overlap when one object could meet both for the same event (Amazon S3 User Guide, "Configuring event
# notifications using object key name filtering"). S3 would say so at apply, when half of the stack is there.
locals {
  names = sort(keys(var.notifications))

  pairs = flatten([
    for i, a in local.names : [
      for b in slice(local.names, i + 1, length(local.names)) : {
        names = "${a} and ${b}"
        a     = var.notifications[a]
        b     = var.notifications[b]
      }
    ]
  ])

  overlaps = [
    for pair in local.pairs : pair.names if(
      (startswith(pair.a.prefix, pair.b.prefix) || startswith(pair.b.prefix, pair.a.prefix)) &&
      (endswith(pair.a.suffix, pair.b.suffix) || endswith(pair.b.suffix, pair.a.suffix)) &&
      anytrue([
        # Without its "*", a wildcard is the beginning of what it stands for.
        for events in setproduct(pair.a.events, pair.b.events) :
        startswith(events[0], trimsuffix(events[1], "*")) || startswith(events[1], trimsuffix(events[0], "*"))
      ])
    )
  ]
}
