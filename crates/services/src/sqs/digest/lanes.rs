//! MD5 of several bodies at once, each in a lane of the processor's vectors.
//!
//! Each step of MD5 waits for the one before, so one body leaves most of a processor idle. The
//! steps of sixteen bodies side by side take hardly longer than those of one. The algorithm is
//! RFC 1321's.

#![expect(clippy::inline_always, reason = "only what is inlined is compiled for the vectors")]

use pulp::{Arch, Simd, WithSimd};
use tidemill_queue::Digest;

use super::of_body;

/// The most bodies that are digested at once.
pub(super) const MOST: usize = 16;
/// A body that is longer is digested alone: lanes that are done wait for the longest.
const LONG: usize = 16 << 10;
/// The bytes of a block.
const BLOCK: usize = 64;

/// The digests of up to [`MOST`] bodies, in their order.
pub(super) fn of_bodies(bodies: &[&[u8]]) -> [Digest; MOST] {
    let mut digests = [Digest::default(); MOST];
    let is_short = |body: &&[u8]| body.len() <= LONG;
    if bodies.iter().filter(|body| is_short(body)).count() < 2 {
        for (digest, body) in digests.iter_mut().zip(bodies) {
            *digest = of_body(body);
        }
        return digests;
    }
    let mut lanes = Lanes { bodies: [&[]; MOST], digests: [Digest::default(); MOST], count: 0 };
    let mut places = [0; MOST];
    for (place, body) in bodies.iter().enumerate() {
        if is_short(body) {
            lanes.bodies[lanes.count] = body;
            places[lanes.count] = place;
            lanes.count += 1;
        } else {
            digests[place] = of_body(body);
        }
    }
    Arch::new().dispatch(&mut lanes);
    for (place, digest) in places.iter().zip(&lanes.digests[..lanes.count]) {
        digests[*place] = *digest;
    }
    digests
}

/// Bodies and, once they are computed, their digests.
struct Lanes<'a> {
    bodies: [&'a [u8]; MOST],
    digests: [Digest; MOST],
    count: usize,
}

impl WithSimd for &mut Lanes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let bodies = self.bodies[..self.count].chunks(S::U32_LANES);
        let digests = self.digests[..self.count].chunks_mut(S::U32_LANES);
        for (bodies, digests) in bodies.zip(digests) {
            together(simd, bodies, digests);
        }
    }
}

/// Digests as many bodies as there are lanes, or fewer.
#[inline(always)]
fn together<S: Simd>(simd: S, bodies: &[&[u8]], digests: &mut [Digest]) {
    const { assert!(S::U32_LANES <= MOST, "a wider vector wants a larger MOST") };
    let longest = bodies.iter().map(|body| blocks(body)).max().unwrap_or_default();
    let mut state = START.map(|word| simd.splat_u32s(word));
    // The words of a block, those of all lanes beside each other.
    let mut words = [[0; MOST]; 16];
    for number in 0..longest {
        for (lane, body) in bodies.iter().enumerate() {
            read_block(body, number, |word, value| words[word][lane] = value);
        }
        let block = words.each_ref().map(load::<S>);
        compress(simd, &mut state, &block);
        for (lane, body) in bodies.iter().enumerate() {
            if number + 1 == blocks(body) {
                digests[lane] = lane_of::<S>(&state, lane);
            }
        }
    }
}

/// How many blocks a body takes, with the bit and the length that end it.
fn blocks(body: &[u8]) -> usize {
    (body.len() + 8) / BLOCK + 1
}

/// Tells the sixteen words of a body's block; what they are behind its last one does not matter.
#[inline(always)]
fn read_block(body: &[u8], number: usize, mut tell: impl FnMut(usize, u32)) {
    let at = number * BLOCK;
    let mut last = [0; BLOCK];
    let block = if let Some(whole) = body.get(at..at + BLOCK) {
        whole
    } else {
        let rest = body.get(at..).unwrap_or_default();
        last[..rest.len()].copy_from_slice(rest);
        if at <= body.len() {
            last[rest.len()] = 0x80;
        }
        if number + 1 == blocks(body) {
            let bits = 8 * body.len() as u64;
            last[BLOCK - 8..].copy_from_slice(&bits.to_le_bytes());
        }
        &last
    };
    for (word, bytes) in block.as_chunks().0.iter().enumerate() {
        tell(word, u32::from_le_bytes(*bytes));
    }
}

#[inline(always)]
fn load<S: Simd>(lanes: &[u32; MOST]) -> S::u32s {
    pulp::bytemuck::pod_read_unaligned(pulp::bytemuck::cast_slice(&lanes[..S::U32_LANES]))
}

#[inline(always)]
fn lane_of<S: Simd>(state: &[S::u32s; 4], lane: usize) -> Digest {
    let mut digest = Digest::default();
    for (bytes, lanes) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        let lanes: &[u32] = pulp::bytemuck::cast_slice(std::slice::from_ref(lanes));
        *bytes = lanes[lane].to_le_bytes();
    }
    digest
}

#[inline(always)]
fn compress<S: Simd>(simd: S, state: &mut [S::u32s; 4], words: &[S::u32s; 16]) {
    let before = *state;
    round::<S, 0>(simd, state, words);
    round::<S, 1>(simd, state, words);
    round::<S, 2>(simd, state, words);
    round::<S, 3>(simd, state, words);
    for (word, before) in state.iter_mut().zip(before) {
        *word = simd.add_u32s(*word, before);
    }
}

/// Sixteen steps. A loop would not be unrolled, and each step would have to look up its word and
/// by how much it turns.
#[inline(always)]
fn round<S: Simd, const ROUND: usize>(simd: S, state: &mut [S::u32s; 4], words: &[S::u32s; 16]) {
    let (first, stride) = const { WORDS[ROUND] };
    let [mut a, mut b, mut c, mut d] = *state;
    macro_rules! step {
        ($a:ident $b:ident $c:ident $d:ident $at:expr, $turn:literal) => {
            let word = words[(first + stride * ($at + $turn)) % 16];
            let known = simd.add_u32s(word, simd.splat_u32s(SINES[16 * ROUND + $at + $turn]));
            let sum = simd.add_u32s(simd.add_u32s($a, known), mix::<S, ROUND>(simd, $b, $c, $d));
            $a = simd.add_u32s($b, turn(simd, sum, const { TURNS[ROUND][$turn] }));
        };
    }
    for at in (0..16).step_by(4) {
        step!(a b c d at, 0);
        step!(d a b c at, 1);
        step!(c d a b at, 2);
        step!(b c d a at, 3);
    }
    *state = [a, b, c, d];
}

/// What a round makes of three words.
#[inline(always)]
fn mix<S: Simd, const ROUND: usize>(s: S, b: S::u32s, c: S::u32s, d: S::u32s) -> S::u32s {
    match ROUND {
        0 => s.xor_u32s(d, s.and_u32s(b, s.xor_u32s(c, d))),
        1 => s.xor_u32s(c, s.and_u32s(d, s.xor_u32s(b, c))),
        2 => s.xor_u32s(b, s.xor_u32s(c, d)),
        _ => s.xor_u32s(c, s.or_u32s(b, s.not_u32s(d))),
    }
}

#[inline(always)]
fn turn<S: Simd>(simd: S, word: S::u32s, by: u32) -> S::u32s {
    let left = simd.wrapping_dyn_shl_u32s(word, simd.splat_u32s(by));
    let right = simd.wrapping_dyn_shr_u32s(word, simd.splat_u32s(32 - by));
    simd.or_u32s(left, right)
}

const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Which words a round takes: the first, and how many further on each next one is.
const WORDS: [(usize, usize); 4] = [(0, 1), (1, 5), (5, 3), (0, 7)];

/// By how many bits a round's steps turn, over and over.
const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// 2³² times the sine of each step's number, without its sign and cut to a whole number.
const SINES: [u32; 64] = [
    0xd76a_a478,
    0xe8c7_b756,
    0x2420_70db,
    0xc1bd_ceee,
    0xf57c_0faf,
    0x4787_c62a,
    0xa830_4613,
    0xfd46_9501,
    0x6980_98d8,
    0x8b44_f7af,
    0xffff_5bb1,
    0x895c_d7be,
    0x6b90_1122,
    0xfd98_7193,
    0xa679_438e,
    0x49b4_0821,
    0xf61e_2562,
    0xc040_b340,
    0x265e_5a51,
    0xe9b6_c7aa,
    0xd62f_105d,
    0x0244_1453,
    0xd8a1_e681,
    0xe7d3_fbc8,
    0x21e1_cde6,
    0xc337_07d6,
    0xf4d5_0d87,
    0x455a_14ed,
    0xa9e3_e905,
    0xfcef_a3f8,
    0x676f_02d9,
    0x8d2a_4c8a,
    0xfffa_3942,
    0x8771_f681,
    0x6d9d_6122,
    0xfde5_380c,
    0xa4be_ea44,
    0x4bde_cfa9,
    0xf6bb_4b60,
    0xbebf_bc70,
    0x289b_7ec6,
    0xeaa1_27fa,
    0xd4ef_3085,
    0x0488_1d05,
    0xd9d4_d039,
    0xe6db_99e5,
    0x1fa2_7cf8,
    0xc4ac_5665,
    0xf429_2244,
    0x432a_ff97,
    0xab94_23a7,
    0xfc93_a039,
    0x655b_59c3,
    0x8f0c_cc92,
    0xffef_f47d,
    0x8584_5dd1,
    0x6fa8_7e4f,
    0xfe2c_e6e0,
    0xa301_4314,
    0x4e08_11a1,
    0xf753_7e82,
    0xbd3a_f235,
    0x2ad7_d2bb,
    0xeb86_d391,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A body of so many bytes that look random.
    fn body(length: usize) -> Vec<u8> {
        let mix = |at: usize| at.wrapping_mul(2_654_435_761).to_le_bytes()[2];
        (0..length).map(|at| mix(at + length)).collect()
    }

    #[test]
    fn digests_are_the_same_however_many_are_taken_together() {
        for length in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, LONG, LONG + 1] {
            for count in 0..=MOST {
                let bodies: Vec<_> = (0..count).map(|nth| body(length + 7 * nth)).collect();
                let slices: Vec<&[u8]> = bodies.iter().map(AsRef::as_ref).collect();
                let alone: Vec<_> = slices.iter().map(|body| of_body(body)).collect();
                assert_eq!(of_bodies(&slices)[..count], alone, "{count} of {length} bytes");
            }
        }
    }

    #[test]
    fn lengths_may_differ_as_they_like() {
        let lengths = [3000, 0, 64, LONG + 5, 56, 1, LONG, 127, 5, 9000, 55, 63, 64, 2, 1024, 8];
        let bodies = lengths.map(body);
        let slices = bodies.each_ref().map(|body| &body[..]);
        assert_eq!(of_bodies(&slices), slices.map(of_body));
    }

    #[test]
    fn every_width_of_vector_gives_the_same() {
        let bodies: [_; MOST] = std::array::from_fn(|nth| body(100 * nth));
        let slices = bodies.each_ref().map(|body| &body[..]);
        let mut lanes = Lanes { bodies: slices, digests: [Digest::default(); MOST], count: MOST };
        pulp::Scalar::new().vectorize(&mut lanes);
        assert_eq!(lanes.digests, slices.map(of_body));
        #[cfg(target_arch = "x86_64")]
        if let Some(narrow) = pulp::x86::V3::try_new() {
            lanes.digests = [Digest::default(); MOST];
            Simd::vectorize(narrow, &mut lanes);
            assert_eq!(lanes.digests, slices.map(of_body));
        }
    }

    #[test]
    fn the_sines_are_what_they_are_said_to_be() {
        for (step, sine) in (1_u32..).zip(SINES) {
            let exact = f64::from(step).sin().abs() * 4_294_967_296.0;
            assert!((0.0..1.0).contains(&(exact - f64::from(sine))));
        }
    }
}
