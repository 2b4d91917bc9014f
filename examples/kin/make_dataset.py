"""Writes the sample competition: pairs of Korean questions, label 1 where both ask the same thing.

Deterministic: the same files on every machine. All sentences are made here, from templates of our own: each subject is
asked about in several ways, in the many endings and spellings of a question board. A pair with label 0 is mostly a near
miss: another question about the same thing, or the same question about another thing. The hidden test asks partly in
words, and about things, that training never saw.

    python make_dataset.py [FOLDER]      # default: ./dataset
"""

import os
import random
import sys

TRAIN_PAIRS = 2000
TEST_PAIRS = 400
SEED = 2018
#: How often a test question may use the wording that training never saw, and be about a thing that it never saw.
UNSEEN = 0.4

# Domain: (things, the last two only in the test), {what is asked: ways to ask it, the last one only in the test}.
# "{을}" and its like stand for the thing with the particle that fits its last syllable.
DOMAINS = [
    (
        [
            "김치찌개",
            "된장찌개",
            "불고기",
            "잡채",
            "떡볶이",
            "미역국",
            "카레",
            "비빔밥",
            "김밥",
            "칼국수",
            "갈비찜",
            "수제비",
        ],
        {
            "recipe": [
                "{} 만드는 법 좀 알려주세요",
                "{은} 어떻게 만드나요?",
                "집에서 {을} 만들어 보고 싶은데 방법을 모르겠어요",
                "{} 레시피 가르쳐 주세요",
                "맛있는 {} 조리법이 궁금합니다",
                "{} 요리하는 순서 알려주실 분",
                "초보자도 할 수 있는 {} 레시피 있나요?",
            ],
            "calories": [
                "{} 칼로리가 얼마나 되나요?",
                "{} 일 인분은 몇 칼로리인가요?",
                "{} 열량이 궁금합니다",
                "{} 한 끼 먹으면 칼로리가 어느 정도예요?",
                "다이어트 중인데 {} 칼로리 좀 알려주세요",
                "{은} 열량이 높은 편인가요?",
            ],
            "ingredients": [
                "{} 재료는 뭐가 필요한가요?",
                "{에} 들어가는 재료 알려주세요",
                "{을} 하려면 무엇을 사야 하나요?",
                "{} 재료 준비물이 궁금해요",
                "{을} 만들 때 꼭 넣어야 하는 재료가 뭔가요?",
                "장 보러 가는데 {} 재료로 뭘 사면 될까요?",
            ],
            "keep": [
                "{을} 냉장고에 며칠까지 보관할 수 있나요?",
                "남은 {은} 얼마나 두고 먹어도 되나요?",
                "{} 보관 기간이 어떻게 되나요?",
                "먹다 남은 {} 보관은 며칠까지 괜찮을까요?",
                "{을} 냉장 보관하면 얼마나 오래 가나요?",
                "어제 만든 {} 냉장고에 두면 언제까지 먹을 수 있어요?",
            ],
        },
    ),
    (
        ["부산", "제주도", "경주", "강릉", "전주", "여수", "속초", "통영", "도쿄", "오사카", "파리", "방콕"],
        {
            "way": [
                "{까지} 가는 방법 알려주세요",
                "{에} 가려면 뭘 타야 하나요?",
                "서울에서 {까지} 어떻게 가나요?",
                "{} 가는 교통편이 궁금합니다",
                "{까지} 제일 빨리 가는 교통편 좀 알려주세요",
                "{에} 처음 가는데 무엇을 타고 가야 하죠?",
            ],
            "sights": [
                "{에서} 가볼 만한 곳 추천해 주세요",
                "{} 여행 가는데 관광지 어디가 좋은가요?",
                "{} 명소 좀 알려주세요",
                "{에} 가면 꼭 봐야 하는 곳이 어디예요?",
                "{} 볼거리 추천 부탁드립니다",
                "{} 구경할 만한 관광지 어디 있을까요?",
            ],
            "cost": [
                "{} 여행 경비가 얼마나 들까요?",
                "{} 이박 삼일 여행 비용 알려주세요",
                "{에} 다녀오려면 돈이 얼마나 필요한가요?",
                "{} 여행 예산을 얼마로 잡아야 하나요?",
                "혼자 {에} 가면 비용이 어느 정도 드나요?",
                "{} 여행 가려는데 경비는 대략 얼마인가요?",
            ],
            "weather": [
                "{} 날씨가 요즘 어떤가요?",
                "다음 주 {} 날씨 알려주세요",
                "{은} 지금 많이 추운가요?",
                "{} 기온이 어느 정도 되나요?",
                "{에} 가는데 날씨가 추운지 궁금해요",
                "요즘 {} 기온이랑 날씨 좀 알려주세요",
            ],
            "food": [
                "{} 맛집 추천해 주세요",
                "{에서} 뭘 먹어야 하나요?",
                "{} 현지인이 가는 식당 알려주세요",
                "{에} 가면 꼭 먹어야 하는 음식이 뭐예요?",
                "{} 유명한 음식이나 맛집 있나요?",
                "{에서} 밥 먹을 만한 맛집 어디 있을까요?",
            ],
        },
    ),
    (
        [
            "노트북",
            "세탁기",
            "냉장고",
            "에어컨",
            "공기청정기",
            "정수기",
            "프린터",
            "모니터",
            "청소기",
            "건조기",
            "전자레인지",
            "선풍기",
        ],
        {
            "dead": [
                "{이} 갑자기 안 켜져요",
                "{} 전원이 들어오지 않는데 왜 그런가요?",
                "{} 전원을 눌러도 반응이 없어요",
                "{이} 안 켜지는데 어떻게 해야 하나요?",
                "어제부터 {} 전원이 안 들어옵니다",
                "{이} 켜지지 않는데 고장인가요?",
            ],
            "choose": [
                "{} 추천해 주세요",
                "{} 하나 사려는데 어떤 제품이 좋은가요?",
                "가성비 좋은 {} 뭐가 있을까요?",
                "{을} 새로 사려고 하는데 추천 부탁드립니다",
                "{} 어느 회사 제품이 제일 괜찮나요?",
                "자취방에 둘 {} 괜찮은 제품 추천 좀 해주세요",
            ],
            "repair": [
                "{} 수리비가 얼마나 나올까요?",
                "{} 고치는 데 비용이 얼마 드나요?",
                "{을} 수리 맡기면 얼마예요?",
                "고장 난 {} 수리 비용이 궁금합니다",
                "{} 서비스 센터 수리비 아시는 분",
                "{} 고장 났는데 고치려면 수리비가 어느 정도죠?",
            ],
            "noise": [
                "{에서} 이상한 소리가 나요",
                "{} 소음이 너무 심한데 왜 그럴까요?",
                "{을} 켜면 시끄러운 소리가 납니다",
                "{} 소리가 커졌는데 원인이 뭔가요?",
                "{} 소음을 줄이는 방법 있나요?",
                "{에서} 갑자기 큰 소리가 나는데 왜 이러죠?",
            ],
            "power": [
                "{} 전기세가 많이 나오나요?",
                "{을} 하루 종일 켜면 전기 요금이 얼마예요?",
                "{} 소비 전력이 어느 정도인가요?",
                "{} 때문에 전기 요금이 많이 나올까요?",
                "{은} 전기를 얼마나 쓰나요?",
                "{} 한 달 쓰면 전기세가 얼마나 나오죠?",
            ],
        },
    ),
    (
        [
            "정기 적금",
            "정기 예금",
            "적립식 펀드",
            "청약 통장",
            "자동차 보험",
            "실비 보험",
            "연금 저축",
            "암 보험",
            "운전자 보험",
            "변액 보험",
            "퇴직 연금",
            "외화 예금",
        ],
        {
            "meaning": [
                "{이} 뭔가요?",
                "{이란} 무엇인지 쉽게 설명해 주세요",
                "{} 뜻이 궁금합니다",
                "{에} 대해 설명 좀 해주세요",
                "{의} 개념을 잘 모르겠어요",
                "{이} 정확히 무슨 뜻인지 알고 싶어요",
            ],
            "begin": [
                "{} 시작하려면 어떻게 해야 하나요?",
                "{을} 처음 하는데 가입 방법 알려주세요",
                "{} 신청은 어디에서 하나요?",
                "{을} 하나 들고 싶은데 어디로 가야 하나요?",
                "{} 신청 방법 좀 알려주세요",
                "사회 초년생인데 {} 가입은 어디서 하나요?",
            ],
            "stop": [
                "{을} 중간에 해지하면 손해인가요?",
                "{} 해지하는 방법 알려주세요",
                "{을} 그만두고 싶은데 불이익이 있나요?",
                "{} 중도 해지하면 어떻게 되나요?",
                "{} 해지 시 손해가 얼마나 될까요?",
                "{을} 중도에 해지해도 괜찮을까요?",
            ],
            "papers": [
                "{} 서류는 무엇이 필요한가요?",
                "{에} 필요한 서류 알려주세요",
                "{을} 신청할 때 준비할 서류가 뭐예요?",
                "{} 구비 서류가 궁금합니다",
                "{} 가입하러 가는데 뭘 가져가야 하나요?",
                "{} 신청 서류로 무엇을 챙겨야 하죠?",
            ],
        },
    ),
    (
        [
            "토익",
            "수능",
            "운전면허 시험",
            "한국사 시험",
            "컴퓨터 활용 시험",
            "공무원 시험",
            "한자 시험",
            "제빵 기능사 시험",
            "공인중개사 시험",
            "간호사 시험",
            "토플",
            "변리사 시험",
        ],
        {
            "date": [
                "{} 날짜가 언제인가요?",
                "올해 {} 일정 알려주세요",
                "{은} 언제 보나요?",
                "다음 {} 보는 날이 언제인지 궁금합니다",
                "{} 일정은 어디서 확인하나요?",
                "{} 일정이랑 날짜 좀 알려주세요",
            ],
            "study": [
                "{} 공부는 어떻게 해야 하나요?",
                "{} 독학하는 방법 알려주세요",
                "{을} 준비하는데 공부법 좀 알려주세요",
                "{} 혼자 공부해도 될까요?",
                "{} 처음 준비하는데 어떻게 공부하면 좋을까요?",
                "{} 효율적인 공부 방법이 있나요?",
            ],
            "fee": [
                "{} 응시료가 얼마인가요?",
                "{} 보려면 돈이 얼마나 드나요?",
                "{} 접수 비용 알려주세요",
                "{} 볼 때 내는 응시료가 궁금해요",
                "{} 원서 접수할 때 얼마 내야 하나요?",
                "{} 응시 비용이 어느 정도 되나요?",
            ],
            "pass": [
                "{} 합격 기준이 어떻게 되나요?",
                "{은} 몇 점 넘어야 합격인가요?",
                "{} 커트라인 알려주세요",
                "{} 합격하려면 몇 점 받아야 하나요?",
                "{} 합격 점수가 궁금합니다",
                "{} 몇 점이면 합격할 수 있을까요?",
            ],
        },
    ),
    (
        [
            "두통",
            "감기",
            "불면증",
            "비염",
            "변비",
            "허리 통증",
            "소화 불량",
            "안구 건조증",
            "여드름",
            "탈모",
            "어깨 결림",
            "치통",
        ],
        {
            "cause": [
                "{} 원인이 뭔가요?",
                "{은} 왜 생기나요?",
                "{이} 생기는 이유가 궁금합니다",
                "갑자기 {이} 생겼는데 왜 그런 걸까요?",
                "{의} 원인을 알고 싶어요",
                "{이} 자꾸 생기는 이유가 뭘까요?",
            ],
            "cure": [
                "{} 빨리 낫는 방법 알려주세요",
                "{은} 어떻게 치료하나요?",
                "{} 없애는 방법 있을까요?",
                "{이} 심한데 어떻게 해야 나을까요?",
                "{} 치료법이 궁금합니다",
                "{} 때문에 힘든데 빨리 나으려면 어떻게 하죠?",
            ],
            "eat": [
                "{에} 좋은 음식이 뭐가 있나요?",
                "{} 있을 때 뭘 먹어야 하나요?",
                "{에} 도움이 되는 음식 추천해 주세요",
                "{이} 있는데 먹으면 좋은 음식 알려주세요",
                "{에} 효과 있는 차나 음식이 궁금해요",
                "{에} 무슨 음식을 먹으면 좋을까요?",
            ],
            "clinic": [
                "{은} 어느 병원에 가야 하나요?",
                "{} 때문에 병원 가려는데 무슨 과로 가야 해요?",
                "{} 진료는 무슨 과에서 보나요?",
                "{이} 심하면 어디 병원으로 가야 할까요?",
                "{} 진료 잘하는 병원 찾고 있어요",
                "{} 있으면 병원 무슨 과에 가면 되나요?",
            ],
        },
    ),
]

# Each particle: after a final consonant, after a vowel.
PARTICLES = {"은": "은는", "이": "이가", "을": "을를"}
FIXED = ("에서", "까지", "에", "의")
OPENINGS = ["", "", "", "", "", "", "안녕하세요. ", "질문 있습니다. ", "급해요! ", "궁금한 게 있는데요, "]
CLOSINGS = ["", "", "", "", "", "", " 내공 드려요", " 답변 부탁드려요", " 감사합니다", " ㅠㅠ"]


def main(folder):
    """Write all files of the dataset below `folder`."""
    random_source = random.Random(SEED)
    train = make_pairs(random_source, TRAIN_PAIRS, False)
    test = make_pairs(random_source, TEST_PAIRS, True, {pair for pair, _ in train})
    for part, pairs in (("train", train), ("test", test)):
        os.makedirs(os.path.join(folder, part), exist_ok=True)
        write_lines(os.path.join(folder, part, part + "_data"), ["\t".join(pair) for pair, _ in pairs])
        write_lines(os.path.join(folder, part, part + "_label"), [str(label) for _, label in pairs])


def write_lines(path, lines):
    """UTF-8, one line end each on every system."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)


def make_pairs(random_source, count, is_test, known=()):
    """`count` different pairs that are not in `known`, each ((question, question), label)."""
    seen, pairs = set(known), []
    while len(pairs) < count:
        pair, label = make_pair(random_source, is_test)
        if pair[0] != pair[1] and pair not in seen:
            seen.add(pair)
            pairs.append((pair, label))
    return pairs


def make_pair(random_source, is_test):
    """Half ask the same; of the others two in five share the thing, two in five the question, one in five nothing."""
    things, questions = random_source.choice(DOMAINS)
    things = things if is_test and random_source.random() < UNSEEN else things[:-2]
    thing, asked = random_source.choice(things), random_source.choice(sorted(questions))
    kind = random_source.random()
    label = 1 if kind < 0.5 else 0
    other_things, other_questions, other_thing, other_asked = things, questions, thing, asked
    if 0.5 <= kind < 0.7:
        other_asked = random_source.choice([name for name in sorted(questions) if name != asked])
    elif 0.7 <= kind < 0.9:
        other_thing = random_source.choice([name for name in other_things if name != thing])
    elif kind >= 0.9:
        other_things, other_questions = random_source.choice([one for one in DOMAINS if one[1] is not questions])
        other_thing, other_asked = (
            random_source.choice(other_things[:-2]),
            random_source.choice(sorted(other_questions)),
        )
    first = ask(random_source, thing, questions[asked], is_test)
    second = ask(random_source, other_thing, other_questions[other_asked], is_test, avoid=first if label else "")
    return (first, second), label


def ask(random_source, thing, ways, is_test, avoid=""):
    """One question about the thing, with the habits of a question board. Not in the words of `avoid`."""
    ways = ways if is_test and random_source.random() < UNSEEN else ways[:-1]
    chosen = random_source.choice([way for way in ways if fill(way, thing) not in avoid])
    text = fill(chosen, thing)
    habit = random_source.random()
    if habit < 0.15:
        text = text.replace(" ", "", 1)
    elif habit < 0.25:
        text = text.rstrip("?")
    elif habit < 0.35:
        text = text + "?" if text.endswith("?") else text + ".."
    return random_source.choice(OPENINGS) + text + random_source.choice(CLOSINGS)


def fill(way, thing):
    """Put the thing and its particle in the place of `{…}`."""
    start, end = way.index("{"), way.index("}")
    return way[:start] + thing + choose_particle(thing, way[start + 1 : end]) + way[end + 1 :]


def choose_particle(thing, particle):
    """The form of a particle that follows this word: 은/는, 이/가, 을/를; `이란` loses its 이 after a vowel."""
    if particle == "" or particle in FIXED:
        return particle
    has_final = (ord(thing[-1]) - ord("가")) % 28 != 0
    if particle == "이란":
        return "이란" if has_final else "란"
    return PARTICLES[particle][0 if has_final else 1]


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "dataset"))
