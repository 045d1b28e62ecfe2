/* SPDX-License-Identifier: Apache-2.0 */
/* engine/docker_image.h - the sidecar's image in the docker engine: is it the current one, and putting it there */
#pragma once
#include "engine/docker_cli.h"
#include "engine/image.h"

/** docker_image_id() - the id of image @ref; 0, 1 when there is none, or a negative errno value */
int docker_image_id(const struct docker_cli *cli, const char *ref, char out_id[IMAGE_ID_BYTES], struct err *err);

/** docker_image_ask_id() / docker_image_read_id() - docker_image_id() in two halves; the second drops @asked */
int docker_image_ask_id(const struct docker_cli *cli, const char *ref, struct tool *out_asked, struct err *err);
int docker_image_read_id(struct tool *asked, char out_id[IMAGE_ID_BYTES], struct err *err);

/**
 * docker_image_load() - make the image of the drydock-egress beside this program and hand it to docker; no network
 * @out_id:	its id, the same every time
 */
int docker_image_load(const struct docker_cli *cli, char out_id[IMAGE_ID_BYTES], struct err *err);

/**
 * docker_image_ready() - the image is there and holds the drydock-egress beside this program; loaded when it does not
 * @asked:	docker_image_ask_id() of IMAGE_NAME; dropped
 */
int docker_image_ready(const struct docker_cli *cli, struct tool *asked, struct err *err);
