/* SPDX-License-Identifier: Apache-2.0 */
/* egress/serve.h - `drydock-egress serve`: opens what must be opened, then becomes the broker */
#pragma once

/** serve_main() - exit status; after success this program is the broker, and its status counts (broker/process.h) */
int serve_main(int argc, char **argv);
